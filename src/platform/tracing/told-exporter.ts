import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import type { SpanExporter } from '@opentelemetry/sdk-trace'

/** Tells of a collector that does not take what it is sent, and when it does again: once each. */
export function toldExporter(exporter: SpanExporter, log: (message: string) => void): SpanExporter {
  let delivers = true
  const tell = ({ code, error }: ExportResult) => {
    const did = code === ExportResultCode.SUCCESS
    if (did !== delivers)
      log(did ? 'traces are delivered again' : `traces are lost, the collector does not take them: ${error?.message}`)
    delivers = did
  }
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        tell(result)
        done(result)
      }),
    shutdown: () => exporter.shutdown(),
  }
}
