import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** For describe.skipIf */
export const noOpenssl = spawnSync('openssl', ['version']).status !== 0

/** Paths of PEM files */
export interface Certificate {
  certificate: string
  key: string
  /** Of who signed it */
  authority: string
}

/** An authority that a process trusts where NODE_EXTRA_CA_CERTS names its certificate. */
export interface TestAuthority {
  certificate: string
  /** For `names` as openssl writes them: DNS:cache.example, IP:127.0.0.1 */
  issue(names: readonly string[], options?: { expired?: boolean }): Certificate
  remove(): void
}

export function createAuthority(): TestAuthority {
  const folder = mkdtempSync(join(tmpdir(), 'shop-certificates-'))
  const path = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const [certificate, key] = [path('authority.crt'), path('authority.key')]
  openssl('req', '-x509', ...newKey, '-keyout', key, '-out', certificate, '-subj', '/CN=authority', '-days', '2')
  let issued = 0
  return {
    certificate,
    issue(names, { expired = false } = {}) {
      issued += 1
      const its = { certificate: path(`${issued}.crt`), key: path(`${issued}.key`), authority: certificate }
      const [request, extensions] = [path(`${issued}.csr`), path(`${issued}.cnf`)]
      writeFileSync(extensions, `subjectAltName=${names.join()}`)
      openssl('req', ...newKey, '-keyout', its.key, '-out', request, '-subj', '/CN=server')
      const signer = ['-CA', certificate, '-CAkey', key, '-CAcreateserial', '-days', expired ? '-1' : '2']
      openssl('x509', '-req', '-in', request, ...signer, '-extfile', extensions, '-out', its.certificate)
      return its
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
