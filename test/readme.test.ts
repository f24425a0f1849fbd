import { followDocuments } from "./helpers/follow.js";

followDocuments(["README.md"]);
