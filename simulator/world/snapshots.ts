interface Snapshot {
  xmin: number
  xmax: number
  isVisible: (xid: number) => boolean
}

/** Parses a pg_snapshot: transactions below xmin have ended, those from xmax on have not started, those listed are running. */
export function parseSnapshot(text: string): Snapshot {
  const [xmin = '', xmax = '', running = ''] = text.split(':')
  const listed = new Set(running.split(',').map(Number))
  const isVisible = (xid: number) => xid < Number(xmin) || (xid < Number(xmax) && !listed.has(xid))
  return { xmin: Number(xmin), xmax: Number(xmax), isVisible }
}
