import { mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Injectable, Logger } from "@nestjs/common";

/** Keeps the session of each agent: a folder, which all replicas can reach. */
@Injectable()
export class SpawnerService {
  /** The agents whose sessions this process opened. */
  readonly sessions = new Set<string>();
  private readonly logger = new Logger(SpawnerService.name);
  private readonly folder = process.env.SESSIONS ?? join(tmpdir(), "orchestrator-sessions");

  async open(agentId: string): Promise<void> {
    await mkdir(join(this.folder, agentId), { recursive: true });
    this.sessions.add(agentId);
  }

  /** Removes the session of an agent that has ended. A second call does nothing. */
  async scheduleSessionCleanup(agentId: string): Promise<void> {
    this.logger.log(`Cleaning up the session of agent ${agentId}`);
    await rm(join(this.folder, agentId), { recursive: true, force: true });
  }
}
