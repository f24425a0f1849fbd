import { Module } from "@nestjs/common";
import { LatchkeyModule } from "latchkey/nestjs";
import { review } from "./review";
import { ReviewsController } from "./reviews.controller";
import { ReviewsService } from "./reviews.service";

@Module({
  imports: [LatchkeyModule.forFeature([review])],
  controllers: [ReviewsController],
  providers: [ReviewsService],
})
export class ReviewsModule {}
