import { randomBytes } from "node:crypto";
import { Injectable, Module, type OnApplicationShutdown } from "@nestjs/common";
import { dropNamespace } from "../../testing/drop-namespace.js";
import { sharedServerUrl } from "../../testing/shared-server.js";

/** The namespaces of one application under test, which are dropped when it shuts down. */
@Injectable()
export class TestNamespaces implements OnApplicationShutdown {
  readonly #names: string[] = [];

  /** Makes a namespace that nothing else uses, on the server of this process. */
  async create(): Promise<{ readonly url: string; readonly namespace: string }> {
    const namespace = `test-${randomBytes(8).toString("hex")}`;
    const url = await sharedServerUrl();
    this.#names.push(namespace);
    return { url, namespace };
  }

  async onApplicationShutdown(): Promise<void> {
    const url = this.#names.length === 0 ? "" : await sharedServerUrl();
    for (const name of this.#names.splice(0)) await dropNamespace(url, name);
  }
}

/** Holds the namespaces: one in each application, whatever number of connections it has. */
@Module({ providers: [TestNamespaces], exports: [TestNamespaces] })
export class TestNamespacesModule {}
