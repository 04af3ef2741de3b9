import { startTestApp } from './app.js'
import { createDatabase } from './database.js'
import { startProxy } from './proxy.js'

/** An app whose way to its database can be cut and frozen. */
export async function startBehindProxy(env: Record<string, string>) {
  const database = await createDatabase()
  const address = new URL(database.url)
  const proxy = await startProxy(Number(address.port))
  address.port = String(proxy.port)
  const app = await startTestApp({ database: { ...database, url: address.href }, env })
  const stop = async () => {
    await app.stop()
    await proxy.stop()
    await database.drop()
  }
  return { app, proxy, stop }
}
