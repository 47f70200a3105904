/** A script that writes, for `RedisCommands.write`. */
export interface RedisScript {
  readonly source: string
}

/**
 * Makes a script of a body in Lua. The body sees KEYS and `args`, counted from 1, and Redis' clock
 * as `nowMs`; what it returns is the answer. After the deadline of the write the body isn't run.
 */
export function redisScript(body: string): RedisScript {
  const source = `
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
if nowMs > tonumber(ARGV[1]) then return { nowMs, 0 } end
local args = {}
for index = 2, #ARGV do args[index - 1] = ARGV[index] end
local function run()
${body}
end
return { nowMs, 1, run() }`
  return { source }
}
