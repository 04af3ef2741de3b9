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
  /** The certificate of the authority that signed it */
  authority: string
}

/** A certificate authority; processes trust it if NODE_EXTRA_CA_CERTS names issuedCertificate certificate. */
export interface TestAuthority {
  certificate: string
  /** Issues a certificate for `names` in the format of openssl: DNS:cache.example, IP:127.0.0.1 */
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
      const issuedCertificate = { certificate: path(`${issued}.crt`), key: path(`${issued}.key`), authority: certificate }
      const [request, extensions] = [path(`${issued}.csr`), path(`${issued}.cnf`)]
      writeFileSync(extensions, `subjectAltName=${names.join()}`)
      openssl('req', ...newKey, '-keyout', issuedCertificate.key, '-out', request, '-subj', '/CN=server')
      const signer = ['-CA', certificate, '-CAkey', key, '-CAcreateserial', '-days', expired ? '-1' : '2']
      openssl('x509', '-req', '-in', request, ...signer, '-extfile', extensions, '-out', issuedCertificate.certificate)
      return issuedCertificate
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
