/** Label of a 0-based channel in text formats: channel 0 is `Channel 1`. */
export function channelLabel(channel: number): string {
  return `Channel ${channel + 1}`
}

/** The label before a text; empty for the mix of all channels. */
export function labelPrefix(channel: number | null): string {
  return channel === null ? '' : `[${channelLabel(channel)}] `
}
