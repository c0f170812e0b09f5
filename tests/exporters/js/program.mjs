// An application with the Vercel AI SDK as its author would write it: telemetry on, an exporter, a few requests.
//   node program.mjs proto|json new|legacy
import { createOpenAI } from "@ai-sdk/openai";
import * as otel from "@ai-sdk/otel";
import { BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import * as ai from "ai";

const [form, generation] = process.argv.slice(2);
const { OTLPTraceExporter } = await import(
  form === "json" ? "@opentelemetry/exporter-trace-otlp-http" : "@opentelemetry/exporter-trace-otlp-proto"
);
const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] });
provider.register();
ai.registerTelemetry(generation === "legacy" ? new otel.LegacyOpenTelemetry() : new otel.OpenTelemetry());

const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL, apiKey: "sk-test" });
const telemetry = { isEnabled: true, functionId: "poem" };

await ai.generateText({ model: openai.chat("gpt-4o"), prompt: "hello", telemetry });
const streamed = ai.streamText({ model: openai.chat("gpt-4o"), prompt: "hello", telemetry });
for await (const _ of streamed.textStream) {
  // Only read.
}
await ai.embed({ model: openai.embedding("text-embedding-3-small"), value: "hello", telemetry });
await provider.forceFlush();
await provider.shutdown();
