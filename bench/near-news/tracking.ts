import { connect } from 'node:net'
import type { ScriptedClient } from '../../src/cache/redis-scripts.js'
import type { Watcher } from '../../src/cache/store.js'
import { every } from './every.js'
import { keyPrefix } from './items.js'
import { PushConnection } from './push-connection.js'

interface Tracking {
  url: string
  /** The connection whose reads are remembered */
  reader: ScriptedClient
  mode: 'broadcast' | 'remembered'
  watcher: Watcher
}

/** As RedisWatch, it proves ten times a second, on the connection that carries the news, that all has arrived. */
export function watchByTracking({ url, reader, mode, watcher }: Tracking): { stop: () => void } {
  const { hostname, port } = new URL(url)
  const pushes = new PushConnection(connect(Number(port), hostname), (keys) => (keys ? watcher.removed(keys) : watcher.missed()))
  const started = mode === 'broadcast' ? broadcast(pushes) : remember(pushes, reader)
  const heartbeat = every(() => {
    const asOf = watcher.now()
    void started.then(() => pushes.send('PING')).then(() => watcher.upToDate(asOf))
  })
  return {
    stop: () => {
      heartbeat.stop()
      pushes.close()
    },
  }
}

async function broadcast(pushes: PushConnection): Promise<void> {
  await pushes.send('HELLO', '3')
  await pushes.send('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', keyPrefix)
}

/** No OPTIN: nearly every key that is read is kept near, and CLIENT CACHING YES would be one more command for each read. */
async function remember(pushes: PushConnection, reader: ScriptedClient): Promise<void> {
  await pushes.send('HELLO', '3')
  const id = String(await pushes.send('CLIENT', 'ID'))
  await reader.client('TRACKING', 'ON', 'REDIRECT', id, 'NOLOOP')
}
