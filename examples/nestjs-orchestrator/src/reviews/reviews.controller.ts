import { Body, Controller, Get, HttpCode, NotFoundException, Param, Post } from "@nestjs/common";
import { ReviewsService } from "./reviews.service";

@Controller("reviews")
export class ReviewsController {
  constructor(private readonly service: ReviewsService) {}

  @Get(":id")
  async get(@Param("id") id: string) {
    const review = await this.service.reviews.get(id);
    if (review === null) throw new NotFoundException(`Review ${id} not found`);
    return review;
  }

  @Post(":id/approve")
  @HttpCode(200)
  approve(@Param("id") id: string) {
    return this.service.reviews.transition(id, "approved");
  }

  @Post(":id/reject")
  @HttpCode(200)
  reject(@Param("id") id: string, @Body() { comment }: { comment?: string }) {
    return this.service.reviews.transition(id, "rejected", { set: comment === undefined ? {} : { comment } });
  }
}
