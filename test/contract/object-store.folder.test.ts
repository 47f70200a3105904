import {
  appendFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/kernel/clock.js'
import { systemRandom } from '../../src/kernel/random.js'
import { openFolderStore } from '../../src/storage/folder/folder-object-store.js'
import type { ObjectStore, UnfinishedPut } from '../../src/storage/index.js'
import { collect, keysOf, objectStoreContract } from './object-store.js'

const signal = new AbortController().signal
const open = (root: string) =>
  openFolderStore({ root, clock: systemClock(), random: systemRandom() })
const temporaryFolder = () => mkdtemp(join(tmpdir(), 'nightscribe-store-'))
const LONG_AGO = new Date('2020-01-01T00:00:00Z')

objectStoreContract('folder', async () => {
  const root = await temporaryFolder()
  return {
    store: await open(join(root, 'made', 'by us')),
    readAddress: (url) => readFile(fileURLToPath(url)),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  }
})

describe('folder store', () => {
  let root: string
  let store: ObjectStore
  const drop = async (name: string | Buffer, body: string | Uint8Array) => {
    const path = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name)])
    await writeFile(path, body)
    await utimes(path, LONG_AGO, LONG_AGO)
  }
  beforeEach(async () => {
    root = await temporaryFolder()
    store = await open(root)
  })
  afterEach(async () => await rm(root, { recursive: true, force: true }))

  it('lists files that people drop under keys with which they can be read', async () => {
    await mkdir(join(root, 'inbox'))
    const names = ['a%20b.wav', '100%.wav', '%~x', '%!x', 'line\nbreak', `${'n'.repeat(250)}.wav`]
    for (const name of names) await drop(`inbox/${name}`, name)
    await drop(Buffer.from('inbox/M\xfcller.wav', 'latin1'), 'Latin-1')
    await drop('inbox/.part.wav', 'hidden')
    const contents: string[] = []
    for (const key of await keysOf(store, 'inbox/')) {
      expect((await store.head(key, { signal })).bytes).toBeGreaterThan(0)
      contents.push((await collect((await store.get(key, { signal })).body)).toString())
    }
    expect(contents.sort()).toEqual([...names, 'Latin-1'].sort())
    expect(await keysOf(store, 'inbox/1')).toEqual(['inbox/100%.wav'])
  })

  it('lists thousands of keys in order, and none of its own files', async () => {
    const folders = ['m', 'b', 'q']
    for (const folder of folders) {
      await mkdir(join(root, folder))
      for (let i = 0; i < 500; i += 1) await writeFile(join(root, folder, `${i}.json`), '{}')
    }
    await store.put('recording.wav', Buffer.alloc(2 ** 20), { signal })
    const keys = await keysOf(store, '')
    expect(keys).toHaveLength(1501)
    expect(keys).toEqual([...keys].sort())
    expect((await readdir(root)).sort()).toEqual(['.meta', '.tmp', 'b', 'm', 'q', 'recording.wav'])
  })

  it('leaves no temporary file, whatever happened', async () => {
    await store.put('a', Buffer.from('a'), { signal, onlyIfAbsent: true })
    await store.put('a', Buffer.from('b'), { signal, onlyIfAbsent: true })
    const failing = (async function* () {
      yield Buffer.from('x')
      throw new Error('broken')
    })()
    await expect(store.put('b', failing, { signal })).rejects.toThrow('broken')
    expect(await readdir(join(root, '.tmp'))).toEqual([])
  })

  it('tells what a process that died has left, and drops nothing that it did not tell', async () => {
    const [left, atWork] = ['0', '1'].map((digit) => digit.repeat(32)) as [string, string]
    await writeFile(join(root, '.tmp', left), 'four')
    await utimes(join(root, '.tmp', left), LONG_AGO, LONG_AGO)
    for (const name of [atWork, 'of-somebody-else']) await writeFile(join(root, '.tmp', name), '')
    await open(root)
    const found: UnfinishedPut[] = []
    for await (const put of store.unfinished({ signal })) found.push(put)
    found.sort((one, other) => one.id.localeCompare(other.id))
    expect(found.map(({ id }) => id)).toEqual([left, atWork])
    expect(found[0]).toMatchObject({ key: null, bytes: 4, touchedMs: LONG_AGO.getTime() })
    const [first] = found
    if (!first) throw new Error('nothing was found')
    await store.dropUnfinished(first, { signal })
    await store.dropUnfinished(first, { signal })
    await store.dropUnfinished({ ...first, id: '../recording.wav' }, { signal })
    expect((await readdir(join(root, '.tmp'))).sort()).toEqual([atWork, 'of-somebody-else'])
  })

  it('says SHA-256 of the content as etag', async () => {
    await drop('hello.txt', 'hello')
    const sha256 = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'
    expect((await store.head('hello.txt', { signal })).etag).toBe(sha256)
    const put = await store.put('copy.txt', Buffer.from('hello'), { signal })
    expect(put).toMatchObject({ kind: 'stored', head: { etag: sha256 } })
  })

  it('does not hash a recording again after a restart, unless its stamp changed', async () => {
    await drop('long.wav', Buffer.alloc(2 ** 20, 1))
    const before = await store.head('long.wav', { signal })
    // The same inode, size and time: only a hash could tell.
    await drop('long.wav', Buffer.alloc(2 ** 20, 2))
    const reopened = await open(root)
    expect((await reopened.head('long.wav', { signal })).etag).toBe(before.etag)
    await utimes(join(root, 'long.wav'), LONG_AGO, new Date('2020-01-01T00:00:01Z'))
    expect((await reopened.head('long.wav', { signal })).etag).not.toBe(before.etag)
  })

  it('hashes again when the cache is damaged', async () => {
    await drop('long.wav', Buffer.alloc(2 ** 20, 1))
    const { etag } = await store.head('long.wav', { signal })
    const meta = join(root, '.meta', 'etags')
    for (const name of await readdir(meta, { recursive: true })) {
      if ((await stat(join(meta, name))).isFile()) await writeFile(join(meta, name), 'torn')
    }
    expect((await (await open(root)).head('long.wav', { signal })).etag).toBe(etag)
  })

  it('pins by the etag of a listing without hashing, and notices a change', async () => {
    await drop('long.wav', 'one')
    const etags: string[] = []
    for await (const { etag } of store.list('', { signal })) etags.push(etag)
    const etag = etags[0] ?? ''
    expect(etag).toMatch(/^stat-/)
    const read = await store.get('long.wav', { signal, etag })
    expect((await collect(read.body)).toString()).toBe('one')
    await writeFile(join(root, 'long.wav'), 'two')
    const again = store.get('long.wav', { signal, etag })
    await expect(again).rejects.toMatchObject({ code: 'media_changed' })
  })

  it('never yields a mixture when a file changes while it is read', async () => {
    await drop('growing.wav', Buffer.alloc(1_000_000, 1))
    const { body } = await store.get('growing.wav', { signal })
    const reading = (async () => {
      let chunks = 0
      for await (const _ of body) {
        if (chunks === 0) await appendFile(join(root, 'growing.wav'), 'more')
        chunks += 1
      }
    })()
    await expect(reading).rejects.toMatchObject({ code: 'media_changed' })
  })

  it('reads on in the old content when the object is replaced meanwhile', async () => {
    await store.put('replaced', Buffer.alloc(1_000_000, 1), { signal })
    const { body } = await store.get('replaced', { signal })
    await store.put('replaced', Buffer.alloc(1_000_000, 2), { signal })
    expect((await collect(body)).every((byte) => byte === 1)).toBe(true)
  })
})

describe('folder store and what stands in its way', () => {
  let base: string
  let root: string
  let store: ObjectStore
  beforeEach(async () => {
    base = await temporaryFolder()
    root = join(base, 'root')
    store = await open(root)
    await mkdir(join(base, 'outside'))
    await writeFile(join(base, 'outside', 'secret.wav'), 'secret')
  })
  afterEach(async () => await rm(base, { recursive: true, force: true }))

  it('refuses links that lead out, for reading, writing, deleting and listing', async () => {
    await symlink(join(base, 'outside'), join(root, 'linked'))
    await symlink(join(base, 'outside', 'secret.wav'), join(root, 'file.wav'))
    const refused = { name: 'InputError', code: 'input_forbidden' }
    const options = { signal }
    for (const key of ['linked/secret.wav', 'file.wav']) {
      await expect(store.head(key, options)).rejects.toMatchObject(refused)
      await expect(store.get(key, options)).rejects.toMatchObject(refused)
      await expect(store.address(key, { signal, validMs: 1 })).rejects.toMatchObject(refused)
    }
    const put = store.put('linked/new/deep.wav', Buffer.from('x'), options)
    await expect(put).rejects.toMatchObject(refused)
    await expect(store.delete('linked/secret.wav', options)).rejects.toMatchObject(refused)
    await expect(keysOf(store, 'linked/')).rejects.toMatchObject(refused)
    expect(await keysOf(store, '')).toEqual([])
    expect(await readdir(join(base, 'outside'))).toEqual(['secret.wav'])
  })

  it('follows links to files that stay inside, and lists no others', async () => {
    await store.put('recordings/a.wav', Buffer.from('a'), { signal })
    await symlink(join(root, 'recordings', 'a.wav'), join(root, 'link.wav'))
    await symlink(join(root, 'recordings'), join(root, 'folder-link'))
    await symlink('circle.wav', join(root, 'circle.wav'))
    await symlink('nothing', join(root, 'dangling.wav'))
    expect((await collect((await store.get('link.wav', { signal })).body)).toString()).toBe('a')
    expect(await keysOf(store, '')).toEqual(['link.wav', 'recordings/a.wav'])
  })

  it('says that a key cannot be both an object and a folder', async () => {
    await store.put('a/b', Buffer.from('x'), { signal })
    for (const key of ['a', 'a/b/c']) {
      await expect(store.put(key, Buffer.from('x'), { signal })).rejects.toMatchObject({
        name: 'InputError',
        code: 'input_unsupported',
        message: expect.stringContaining(root),
      })
    }
    await expect(store.head('a', { signal })).rejects.toMatchObject({ code: 'input_not_found' })
    await store.delete('a', { signal })
    expect(await keysOf(store, '')).toEqual(['a/b'])
  })

  it('goes on when somebody tidies its temporary folder away', async () => {
    await rm(join(root, '.tmp'), { recursive: true })
    await store.put('a', Buffer.from('x'), { signal })
    expect(await keysOf(store, '')).toEqual(['a'])
  })

  it('refuses a root that is a file, naming path and setting', async () => {
    const path = join(base, 'outside', 'secret.wav')
    await expect(open(path)).rejects.toMatchObject({
      name: 'ConfigError',
      code: 'config_invalid',
      message: expect.stringMatching(/secret\.wav.*NIGHTSCRIBE_STORAGE/),
    })
  })

  it('works in a root that is itself a link', async () => {
    await rename(root, join(base, 'moved'))
    await symlink(join(base, 'moved'), root)
    const linked = await open(root)
    await linked.put('a/b', Buffer.from('x'), { signal })
    expect(await keysOf(linked, '')).toEqual(['a/b'])
  })
})
