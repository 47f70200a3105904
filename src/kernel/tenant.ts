/**
 * Whose a job is. As long as there is one tenant it is this one. Its name stands in no id and in no
 * key, so that nothing of an archive has to be moved when others come.
 */
export const DEFAULT_TENANT = 'default'

const TENANT_NAME = /^[a-z0-9][a-z0-9-]{0,39}$/

/** Whether a text may be the name of a tenant: 1 to 40 of `a-z`, `0-9` and `-`. */
export function isTenantName(text: string): boolean {
  return TENANT_NAME.test(text)
}
