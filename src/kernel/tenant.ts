/**
 * The tenant of a job that names none. Its name is part of no id and no key, so that nothing in an
 * archive has to move when other tenants come.
 */
export const DEFAULT_TENANT = 'default'

const TENANT_NAME = /^[a-z0-9][a-z0-9-]{0,39}$/

/**
 * Whether a text may be the name of a tenant: 1 to 40 characters `a-z`, `0-9` and `-`, and no `-`
 * first.
 */
export function isTenantName(text: string): boolean {
  return TENANT_NAME.test(text)
}
