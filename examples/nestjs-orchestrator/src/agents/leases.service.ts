import { Injectable, Logger } from "@nestjs/common";
import type { Hold } from "latchkey";
import { type EntitiesOf, InjectEntities, OnChange } from "latchkey/nestjs";
import { agents } from "./agents";
import { SpawnerService } from "./spawner.service";

/** Renews the leases of the running agents whose sessions this process opened. */
@Injectable()
export class LeasesService {
  private readonly logger = new Logger(LeasesService.name);
  private readonly holds = new Map<string, Hold>();

  constructor(
    @InjectEntities(agents) private readonly entities: EntitiesOf<typeof agents>,
    private readonly spawner: SpawnerService,
  ) {}

  @OnChange(agents, ["agent.running"], { onMissed: "holdAll" })
  async hold({ id }: { id: string }): Promise<void> {
    if (!this.spawner.sessions.has(id) || this.holds.has(id)) return;
    const onLost = () => this.release(id);
    try {
      this.holds.set(id, await this.entities.hold(id, { onLost }));
      this.logger.log(`Agent ${id} has a lease`);
    } catch (error) {
      this.logger.warn(`Agent ${id} has no lease: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** Called after the connection was lost: an agent may have been started meanwhile. */
  async holdAll(): Promise<void> {
    for (const id of this.spawner.sessions) {
      const agent = await this.entities.get(id);
      if (agent?.state === "running") await this.hold(agent);
    }
  }

  /** The agent has ended, or its lease has expired. */
  private release(id: string): void {
    this.holds.delete(id);
    this.spawner.sessions.delete(id);
  }
}
