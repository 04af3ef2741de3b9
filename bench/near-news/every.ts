/** As often as RedisWatch asks whether all has arrived */
const heartbeatMs = 100

export function every(action: () => void): { stop: () => void } {
  const timer = setInterval(action, heartbeatMs)
  action()
  return { stop: () => clearInterval(timer) }
}
