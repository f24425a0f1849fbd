/**
 * Runs NestJS applications in integration tests, each in a namespace of its own on a real server.
 *
 * @example
 * ```ts
 * import { LatchkeyTestingModule } from "latchkey/nestjs/testing";
 * ```
 *
 * @module latchkey/nestjs/testing
 */
export { LatchkeyTestingModule, type LatchkeyTestingOptions } from "./testing-module.js";
