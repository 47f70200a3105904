import { expect, it } from 'vitest'
import { locationOf, s3Address } from '../../../src/kernel/location.js'

it.each([
  ['s3://bucket', { kind: 's3', bucket: 'bucket', key: '' }],
  ['s3://bucket/', { kind: 's3', bucket: 'bucket', key: '' }],
  ['s3://bucket/a/b c.wav', { kind: 's3', bucket: 'bucket', key: 'a/b c.wav' }],
  ['s3://bucket/a/\n', { kind: 's3', bucket: 'bucket', key: 'a/\n' }],
  ['s3://', { kind: 's3', bucket: '', key: '' }],
  ['s3:///a', { kind: 's3', bucket: '', key: 'a' }],
  ['https://host/a?b=s3://c', { kind: 'http', url: 'https://host/a?b=s3://c' }],
  ['http://host', { kind: 'http', url: 'http://host' }],
  ['ftp://host/a', { kind: 'other', text: 'ftp://host/a' }],
  ['S3://bucket', { kind: 'other', text: 'S3://bucket' }],
  ['data', { kind: 'path', path: 'data' }],
  ['./s3:/a', { kind: 'path', path: './s3:/a' }],
  ['/a/https://b', { kind: 'path', path: '/a/https://b' }],
  ['', { kind: 'path', path: '' }],
])('%j stands for what it says', (text, location) => {
  expect(locationOf(text)).toEqual(location)
})

it('writes the address of a bucket and of what is in it', () => {
  expect([s3Address('b'), s3Address('b', 'a/c')]).toEqual(['s3://b', 's3://b/a/c'])
})
