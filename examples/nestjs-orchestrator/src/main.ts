import { Logger } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { AppModule } from "./app.module";

async function bootstrap() {
  const app = await NestFactory.create(AppModule);
  app.enableShutdownHooks();
  process.once("SIGTERM", () => Logger.log("Stopping", "Main"));
  await app.listen(process.env.PORT ?? 3000);
  Logger.log(`Listening on ${await app.getUrl()}`, "Main");
}
void bootstrap();
