// Runs before each test file.
import { afterAll } from "vitest";
import { endFile } from "./helpers/file-end.js";

afterAll(endFile);
