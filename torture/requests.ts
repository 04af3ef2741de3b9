import type { ApiProcess } from './api-process.js'
import { ask, type Data } from './graphql-client.js'
import type { World } from './world.js'

/** Sends a request to a process; null when it failed, which is counted by cause. */
export async function request(
  world: World,
  api: ApiProcess,
  document: string,
  variables?: Readonly<Record<string, unknown>>,
): Promise<Data | null> {
  const from = world.now()
  const answer = await ask(api, document, variables)
  world.requestsMs.push(world.now() - from)
  if (answer.state === 'answered') return answer.data
  const { cause } = answer
  // A process that was killed takes its requests with it.
  if (answer.state === 'unreachable' && api.wasDown(from, world.now())) world.refusedWhileDown.add(cause)
  else world.failures.add(cause)
  return null
}

/** One of the processes that a load balancer would send requests to, else any. */
export function pickApi(world: World, choose: (apis: readonly ApiProcess[]) => ApiProcess): ApiProcess {
  const up = world.apis.filter(({ isUp, isSuspended }) => isUp && !isSuspended)
  return choose(up.length > 0 ? up : world.apis)
}
