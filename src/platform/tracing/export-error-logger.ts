import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import type { SpanExporter } from '@opentelemetry/sdk-trace'

/** Wraps an exporter so that the first failed export and the first successful one after failures are logged. */
export function logExportErrors(exporter: SpanExporter, log: (message: string) => void): SpanExporter {
  let isDelivering = true
  const logChange = ({ code, error }: ExportResult) => {
    const succeeded = code === ExportResultCode.SUCCESS
    if (succeeded !== isDelivering)
      log(succeeded ? 'traces are delivered again' : `traces are lost, the collector does not accept them: ${error?.message}`)
    isDelivering = succeeded
  }
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        logChange(result)
        done(result)
      }),
    shutdown: () => exporter.shutdown(),
  }
}
