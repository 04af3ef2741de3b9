interface Snapshot {
  xmin: number
  xmax: number
  isVisible: (xid: number) => boolean
}

/** As pg_snapshot: all below xmin have ended, none from xmax on has, and those listed were running. */
export function parseSnapshot(text: string): Snapshot {
  const [xmin = '', xmax = '', running = ''] = text.split(':')
  const listed = new Set(running.split(',').map(Number))
  const isVisible = (xid: number) => xid < Number(xmin) || (xid < Number(xmax) && !listed.has(xid))
  return { xmin: Number(xmin), xmax: Number(xmax), isVisible }
}
