import { describe, expect, it } from 'vitest'
import {
  folderReadError,
  folderUnusable,
  folderWriteError,
} from '../../../../src/storage/folder/folder-error.js'

const errno = (code: string) => Object.assign(new Error(`${code}: it failed`), { code })

describe('what an error of the file system is', () => {
  it.each([
    ['ENOENT', 'InputError', 'input_not_found'],
    ['ENOTDIR', 'InputError', 'input_not_found'],
    ['ENAMETOOLONG', 'InputError', 'input_not_found'],
    ['EACCES', 'InputError', 'input_forbidden'],
    ['EIO', 'UpstreamError', 'storage_unavailable'],
    ['EMFILE', 'UpstreamError', 'storage_unavailable'],
  ])('reading: %s', (code, name, classified) => {
    const error = folderReadError(errno(code), 'inbox/a.wav', '/data')
    expect(error).toMatchObject({ name, code: classified })
    expect(error.message).toMatch(/inbox\/a\.wav in \/data/)
  })

  it.each([
    ['ENOSPC', 'UpstreamError', 'output_write_failed', 'make room'],
    ['EDQUOT', 'UpstreamError', 'output_write_failed', 'make room'],
    ['EROFS', 'UpstreamError', 'output_write_failed', 'read-only'],
    ['EACCES', 'UpstreamError', 'output_write_failed', 'right to write'],
    ['EXDEV', 'UpstreamError', 'output_write_failed', 'another disk'],
    ['EISDIR', 'InputError', 'input_unsupported', 'both an object'],
  ])('writing: %s', (code, name, classified, words) => {
    const error = folderWriteError(errno(code), 'jobs/a.json', '/data')
    expect(error).toMatchObject({ name, code: classified })
    expect(error.message).toContain('jobs/a.json')
    expect(error.message).toContain(words)
  })

  it.each(['EACCES', 'EROFS', 'ENOTDIR', 'EPERM', 'ENOSPC'])('opening: %s', (code) => {
    const error = folderUnusable(errno(code), '/data')
    expect(error).toMatchObject({ name: 'ConfigError', code: 'config_invalid' })
    expect(error.message).toMatch(/\/data.*NIGHTSCRIBE_STORAGE/)
  })
})
