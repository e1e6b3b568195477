// The small application of src/apps.rs with express-session: node server.mjs PORT [REDIS_URL]
import { RedisStore } from 'connect-redis'
import express from 'express'
import session from 'express-session'
import { createClient } from 'redis'

const [port, redis, body] = [process.argv[2], process.argv[3], JSON.parse(process.env.BODY)]
let store
if (redis) {
  const client = createClient({ url: redis })
  await client.connect()
  store = new RedisStore({ client, prefix: 'express:' })
}
const app = express()
app.disable('x-powered-by').disable('etag')
app.use(session({ store, secret: 'a secret of the benchmark, 32 bytes or more', resave: false, saveUninitialized: false }))
app.get('/untouched', (request, response) => response.send('hello'))
app.get('/read', (request, response) => response.send(String(request.session.views ?? 0)))
app.get('/write', (request, response) => {
  request.session.views = (request.session.views ?? 0) + 1
  response.send('hello')
})
app.get('/seed', (request, response) => {
  Object.assign(request.session, body)
  response.send('hello')
})
app.listen(Number(port), '127.0.0.1')
