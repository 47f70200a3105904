import { startRadosgw } from './radosgw.js'
const t=Date.now()
{ await using g = await startRadosgw()
console.log('up', Date.now()-t, g.endpoint)
await g.createBucket('bucket1'); console.log('bucket', Date.now()-t)
await g.addUser('second'); console.log('user', Date.now()-t)
if (process.argv[2]) { console.log(JSON.stringify(g)); await new Promise(r=>process.once('SIGINT',r)) }
}
console.log('down', Date.now()-t)
