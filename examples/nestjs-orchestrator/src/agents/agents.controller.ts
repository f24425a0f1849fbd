import { Body, Controller, Get, HttpCode, NotFoundException, Param, Post } from "@nestjs/common";
import { OrchestratorService } from "./orchestrator.service";

@Controller("agents")
export class AgentsController {
  constructor(private readonly orchestrator: OrchestratorService) {}

  @Post()
  spawn(@Body() { taskId, metadata }: { taskId: string; metadata?: Record<string, unknown> }) {
    return this.orchestrator.spawn(taskId, metadata);
  }

  @Post(":id/start")
  @HttpCode(200)
  start(@Param("id") id: string) {
    return this.orchestrator.start(id);
  }

  @Post(":id/complete")
  @HttpCode(200)
  complete(@Param("id") id: string) {
    return this.orchestrator.complete(id);
  }

  @Post(":id/fail")
  @HttpCode(200)
  fail(@Param("id") id: string, @Body() { error }: { error: string }) {
    return this.orchestrator.fail(id, error);
  }

  @Post(":id/kill")
  @HttpCode(200)
  kill(@Param("id") id: string) {
    return this.orchestrator.kill(id);
  }

  @Get()
  list() {
    return this.orchestrator.list();
  }

  @Get(":id")
  async get(@Param("id") id: string) {
    const agent = await this.orchestrator.get(id);
    if (agent === null) throw new NotFoundException(`Agent ${id} not found`);
    return agent;
  }
}
