import { Module } from "@nestjs/common";
import { APP_FILTER, APP_INTERCEPTOR } from "@nestjs/core";
import { TerminusModule } from "@nestjs/terminus";
import { LatchkeyActorInterceptor, LatchkeyExceptionFilter, LatchkeyModule } from "latchkey/nestjs";
import { agents } from "./agents/agents";
import { AgentsController } from "./agents/agents.controller";
import { LeasesService } from "./agents/leases.service";
import { OrchestratorService } from "./agents/orchestrator.service";
import { SpawnerService } from "./agents/spawner.service";
import { HealthController } from "./health/health.controller";
import { ReviewsModule } from "./reviews/reviews.module";

const actorInterceptor = new LatchkeyActorInterceptor({ actor: (request) => request.headers["x-user"] });

@Module({
  imports: [
    LatchkeyModule.forRoot({
      url: process.env.VALKEY_URL,
      agents: { machine: agents, cleanup: { spawner: SpawnerService }, channel: "orchestrator:events" },
      sweep: true,
      shutdownTimeout: "1m",
    }),
    TerminusModule,
    ReviewsModule,
  ],
  controllers: [AgentsController, HealthController],
  providers: [
    OrchestratorService,
    SpawnerService,
    LeasesService,
    { provide: APP_FILTER, useClass: LatchkeyExceptionFilter },
    { provide: APP_INTERCEPTOR, useValue: actorInterceptor },
  ],
})
export class AppModule {}
