import { describe, expect, it } from 'vitest'
import {
  pythonRepr,
  pythonTypeName,
  sanitizeMessage,
} from '../../../../gpu/standin/wire/python-text.js'

describe('Python text', () => {
  it.each([
    [null, 'None', 'NoneType'],
    [true, 'True', 'bool'],
    [7, '7', 'int'],
    [-0.5, '-0.5', 'float'],
    [Number.POSITIVE_INFINITY, 'inf', 'float'],
    ['plain', "'plain'", 'str'],
    ["it's", `"it's"`, 'str'],
    [`say "it's"`, `'say "it\\'s"'`, 'str'],
    [
      '\n\t\\\u0007\u00ad\u2028\u{e0001}é\u{1f600} ',
      "'\\n\\t\\\\\\x07\\xad\\u2028\\U000e0001é\u{1f600} '",
      'str',
    ],
    [[1, 'a', []], "[1, 'a', []]", 'list'],
    [{ a: { b: [null, false] } }, "{'a': {'b': [None, False]}}", 'dict'],
  ])('of %j is %s, a %s', (value, repr, type) => {
    expect(pythonRepr(value)).toBe(repr)
    expect(pythonTypeName(value)).toBe(type)
  })

  it.each([
    ['<object at 0x7f01>', '<object>'],
    ['no /tmp/models/wire here', 'no <path> here'],
    ['open("/a/b/c.py")', 'open("<path>")'],
    ['mistralai/Voxtral', 'mistralai/Voxtral'],
    [' spaces ', 'spaces'],
  ])('of an exception, %j, is cleaned to %j', (message, clean) => {
    expect(sanitizeMessage(message)).toBe(clean)
  })
})
