/** What people see of a 0-based channel: `Channel 1` is the first. */
export function channelLabel(channel: number): string {
  return `Channel ${channel + 1}`
}

/** The label before a text, or nothing for the mix of all channels. */
export function labelPrefix(channel: number | null): string {
  return channel === null ? '' : `[${channelLabel(channel)}] `
}
