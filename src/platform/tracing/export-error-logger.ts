import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import type { SpanExporter } from '@opentelemetry/sdk-trace'

/** Wraps an exporter so that the first failed export is logged, and then the first successful export after failures. */
export function logExportErrors(exporter: SpanExporter, log: (message: string) => void): SpanExporter {
  let isDelivering = true
  const logChange = ({ code, error }: ExportResult) => {
    const succeeded = code === ExportResultCode.SUCCESS
    if (succeeded !== isDelivering)
      log(
        succeeded
          ? 'The collector accepts traces again'
          : `Failed to export traces, which are lost: ${error?.message}. Export continues`,
      )
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
