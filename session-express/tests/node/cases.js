'use strict'
// The cases: lists of what is odd, and random ones from a seed.

const signature = require(require.resolve('cookie-signature', { paths: [require.resolve('express-session')] }))
const { SEED, NOW } = require('./run')

const SECRET = 'keyboard cat'
const signed = (id, secret = SECRET) => `s:${signature.sign(id, secret)}`
const good = `connect.sid=${encodeURIComponent(signed(SEED))}`
const undefinedValue = { $undefined: 1 }
const date = text => ({ $date: Date.parse(text) })
const later = new Date(NOW + 60000).toISOString()
const plain = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const aged = { originalMaxAge: 60000, expires: later, httpOnly: true, path: '/' }
const stored = (cookie, rest = '"base":1') => `{"cookie":${JSON.stringify(cookie)}${rest ? ',' + rest : ''}}`
const set = ['set', 'a', '1']

/** A session that begins with these options, and the line of its cookie. */
function* cookies() {
  const ages = [0, -1000, null, undefinedValue, 1, 999, 1000, 1500.5, -0.5, 60000, 31536000000, 1e12]
  for (const maxAge of ages) yield { options: { cookie: { maxAge } } }
  const ends = ['2030-01-01T00:00:00.000Z', '1970-01-01T00:00:00.001Z', '2026-01-02T03:04:05.677Z', '2024-02-29T23:59:59.999Z',
    '9999-12-31T23:59:59.999Z']
  for (const end of ends) yield { options: { cookie: { expires: date(end) } } }
  for (const expires of [null, undefinedValue, false]) yield { options: { cookie: { expires } } }
  yield { options: { cookie: { expires: date(ends[0]), maxAge: 1000 } } }
  yield { options: { cookie: { maxAge: { $date: NOW + 5000 } } } }
  yield { options: { cookie: { maxAge: 60000, foo: 'bar', data: 1 } } }
  for (const sameSite of [true, false, null, '', 'lax', 'LAX', 'Strict', 'sTrIcT', 'none', 'NONE', 'bogus', 'lax ']) {
    yield { options: { cookie: { sameSite } } }
  }
  const domains = ['example.com', '.example.com', 'EXAMPLE.com', 'a', 'x-y.co', '', null, 'exa mple', 'example.com.', '-a.com',
    'a-.com', 'a_b.com', '..com', 'a..b', '1.2.3.4', '[::1]', 'bücher.de', `${'a'.repeat(63)}.de`, `${'a'.repeat(64)}.de`,
    `.${'a'.repeat(63)}`, 'a;b', 'localhost:80']
  for (const domain of domains) yield { options: { cookie: { domain } } }
  for (const path of ['/', '', null, '/a b', '/a;b', '/ä', '/x?y', '/%41', '/<', '/a=b,"c"', '/~!@$&\'()*+:[]^`{|}']) {
    yield { options: { cookie: { path } }, url: path && encodeURI(path) === path && !/[?^`{|}]/.test(path) ? path : '/' }
  }
  for (const httpOnly of [true, false, undefinedValue, null]) yield { options: { cookie: { httpOnly } } }
  for (const partitioned of [true, false, undefinedValue]) yield { options: { cookie: { partitioned } } }
  for (const priority of ['low', 'LOW', 'Medium', 'hIgH', 'bogus', '', null, false]) yield { options: { cookie: { priority } } }
  for (const name of ['a', '__Host-sid', '__Secure-x', '!#$%&\'*+-.^_`|~9', 'sid=', 'a;b', 'a b', 'ä', 'a"b', 'a\tb', 'a/b', '']) {
    yield { options: { name } }
  }
  const secrets = [['new', SECRET], 'clé secrète 🔑', ['日本', 'x'], 'x'.repeat(64), 'x'.repeat(65), 'x'.repeat(1000), ' ', '\u0000a', 'a.b',
    ['a'], ['\ufeffa', 'b', 'c']]
  for (const secret of secrets) yield { options: { secret } }
  for (const genid of ['x', 'a.b.c', '.', 's:x', '%', '%41', 'a b', 'a+b/c=', 'ü🦀', '"', '\\', ';', ',', '\u0000', '\n', 'é'.repeat(100),
    'x'.repeat(500), '__proto__', '!~*\'()', '\u2028', '\u007f']) yield { genid }
  yield { other_cookies: ['a=1; Path=/', 'b=2'] }
}

/** Secure and SameSite follow the connection, as far as a proxy is believed. */
function* proxies() {
  const forwarded = [null, 'https', 'HTTPS', ' https ', 'https,http', 'http,https', 'https , x', ',https', 'https;', 'httpsx', 'wss',
    '\u00a0https\u00a0', 'https\t', '"https"']
  for (const value of forwarded) {
    const headers = value === null ? [] : [['X-Forwarded-Proto', value]]
    for (const cookie of [{ secure: true }, { secure: 'auto', sameSite: 'auto' }]) {
      yield { options: { proxy: true, cookie }, headers }
    }
  }
  const https = [['x-forwarded-proto', 'https']]
  yield { options: { proxy: true, cookie: { secure: true } }, headers: [['X-Forwarded-Proto', 'https'], ['X-Forwarded-Proto', 'http']] }
  yield { options: { proxy: true, cookie: { secure: true } }, headers: [['X-Forwarded-Proto', ''], ['X-Forwarded-Proto', 'https']] }
  for (const proxy of [false, undefinedValue, true]) {
    for (const trusts_proxy of [false, true]) {
      for (const cookie of [{ secure: 'auto' }, { secure: true, sameSite: 'auto' }, { sameSite: 'auto' }, { secure: false }]) {
        yield { options: { proxy, cookie }, trusts_proxy, headers: https }
      }
    }
  }
  for (const cookie of [{ secure: 'auto' }, { sameSite: 'auto' }, { maxAge: 5000, path: '/x' }, { domain: 'a b' }, { sameSite: 'strict' }]) {
    for (const headers of [[], https]) {
      for (const url of ['/', '/x']) yield { options: { proxy: true, cookie, cookie_is_function: true }, headers, url }
    }
  }
}

/** What a request's cookies say about which session it is. */
function* presented() {
  const value = encodeURIComponent(signed(SEED))
  const raw = signed(SEED)
  const [id, mac] = [SEED, raw.slice(SEED.length + 3)]
  const values = [value, raw, `"${value}"`, `"${raw}"`, `'${value}'`, `"${value}`, `${value}"`, `""${value}""`, ` ${value} `, `\t${value}\t`,
    `" ${value}"`, value.toLowerCase(), value.replace('%3A', '%3a'), raw.replace('s:', 'S:'), raw.slice(2), raw.slice(1), `${value}=`,
    `${value}%3D`, value.slice(0, -1), `${value}x`, `${value},x`, `${value} x`, `s%3A.${mac}`, `s%3A${id}`, `s%3A${id}.`, `s%3A${id}..${mac}`,
    `s:${id}%2E${mac}`, `s%253A${raw.slice(2)}`, `${raw}%`, `${raw}%ZZ`, `${value}%C3`, `%73%3A${raw.slice(2)}`, `s%3A${id}.${encodeURIComponent(mac)}%00`,
    'j%3A%7B%7D', 's%3A', 's:', 's', '"', '""', '" "', '', ' ', '=', '==', '%', `${value}\u00e9`, `\u00a0${value}`, `${value}\u00a0`,
    encodeURIComponent(encodeURIComponent(raw)), [...raw].map(c => '%' + c.charCodeAt(0).toString(16)).join('')]
  for (const text of values) yield { cookies: [`connect.sid=${text}`], stored: stored(plain) }
  const lines = [[`a=b; ${good}`], [`a=b;${good};c=d`], [`;;${good}`], [`a; ${good}`], [`=; ${good}`], [`=x; ${good}`], [`a=b, ${good}`],
    [`  connect.sid  =  ${value}  `], [`\tconnect.sid\t=\t${value}`], [`Connect.sid=${value}`], [`connect%2Esid=${value}`],
    [`"connect.sid"=${value}`], [`connect.sid=x; ${good}`], [`${good}; connect.sid=x`], [`connect.sid=; ${good}`], [`connect.sid; ${good}`],
    [`connect.sid=""; ${good}`], [`a="x; ${good}; b="`], [`a=b`, good], [good, 'connect.sid=x'], ['connect.sid=x', good], ['connect.sid', good],
    ['', good], [`a=${'x'.repeat(1000)}; ${good}`], [`${'a=b; '.repeat(200)}${good}`], [`$Version=1; ${good}; $Path=/`], [`xconnect.sid=${value}`],
    [`connect.sid.x=${value}`], [`a=b\u00e9; ${good}`], ['a'], ['='], [';'], ['']]
  for (const cookies of lines) yield { cookies, stored: stored(plain) }
  const two = { secret: ['new', SECRET, 'ünï'] }
  for (const secret of ['new', SECRET, 'ünï', 'other']) {
    for (const id of [SEED, 'a.b.c', '日本', '%41', '100%', ' ', 'x'.repeat(secret === 'ünï' ? 3000 : 65), '\u0000', 's:x']) {
      const cookies = [`connect.sid=${encodeURIComponent(signed(id, secret))}`]
      yield { options: two, cookies, stored: stored(plain) }
    }
  }
  for (const name of ['a', '!#$%&\'*+-.^_`|~9', 'sid%20']) {
    yield { options: { name }, cookies: [`${name}=${value}; connect.sid=x`], stored: stored(aged), actions: [set] }
  }
  // Bytes that are not ASCII are Latin-1 to Node.
  yield { cookies: ['connect.sid=' + Buffer.from(signed('日')).toString('latin1')] }
  yield { cookies: ['connect.sid=' + signed('\u00e9')], stored: stored(plain) }
}

/** Which paths have a session. */
function* paths() {
  const urls = ['/', '/app', '/app/', '/app/x?y', '/apple', '/ap', '/APP', '/%61pp', '//app', '/./app', '/x/../app', '/?/app', '/app?',
    '/app#x', '/#/app', 'http://localhost/app', 'http://localhost', 'http://localhost/app?x#y', '/app;x', '/app%20b', '/app%2Fx']
  for (const url of urls) yield { options: { cookie: { path: '/app' } }, url, actions: [set] }
  for (const [path, url] of [['app', '/app'], ['/app%20b', '/app%20b'], ['/app/', '/app'], ['/app/', '/app/x'], ['', '/x'], [null, '/x'],
    ['/a?b', '/a?b'], ['//', '//x']]) {
    for (const cookie_is_function of [false, true]) yield { options: { cookie: { path }, cookie_is_function }, url, actions: [set] }
  }
}

/** What other programs may have stored. */
function* kept() {
  const cookies = [plain, aged, {}, { originalMaxAge: null }, { expires: later }, { originalMaxAge: null, expires: later },
    { originalMaxAge: 60000, expires: null }, { originalMaxAge: 60000 }, { originalMaxAge: false, expires: false }, { originalMaxAge: 0, expires: later },
    { originalMaxAge: -5000, expires: later }, { originalMaxAge: 1500.5, expires: later }, { originalMaxAge: -1500.5, expires: later }, { originalMaxAge: 60000, expires: 'nonsense' },
    { originalMaxAge: 60000, expires: '2026-01-02T03:04:05.677Z' }, { originalMaxAge: 60000, expires: '2026-01-02T03:04:05.678Z' },
    { originalMaxAge: 60000, expires: '2026-01-02T04:04:05+00:00' }, { ...aged, sameSite: true }, { ...aged, sameSite: 'LAX' },
    { ...aged, sameSite: false }, { ...aged, sameSite: 'bogus' }, { ...aged, sameSite: 1 }, { ...aged, secure: 'auto' }, { ...aged, secure: 1 },
    { ...aged, secure: false }, { ...aged, secure: null }, { ...aged, httpOnly: false }, { ...aged, httpOnly: 0 }, { ...aged, httpOnly: null },
    { ...aged, httpOnly: 'x' }, { ...aged, path: '/x' }, { ...aged, path: null }, { ...aged, path: '' }, { ...aged, path: 5 }, { ...aged, path: '/;' },
    { ...aged, domain: 'example.com' }, { ...aged, domain: '' }, { ...aged, domain: true }, { ...aged, domain: 'a b' },
    { ...aged, priority: 'HIGH' }, { ...aged, priority: 'bogus' }, { ...aged, priority: null }, { ...aged, priority: 1 },
    { ...aged, partitioned: true }, { ...aged, partitioned: false }, { ...aged, partitioned: 'no' }, { ...aged, new: 1, data: 2 },
    { sameSite: 'lax', path: '/', httpOnly: true, domain: 'a.b', secure: false, expires: later, priority: 'low', partitioned: true, originalMaxAge: 5 }]
  for (const cookie of cookies) {
    for (const actions of [[], [['set', 'base', '2']]]) {
      for (const rolling of [false, true]) yield { stored: stored(cookie), cookies: [good], options: { rolling }, actions }
    }
    yield { stored: stored(cookie), cookies: [good], actions: [['touch'], ['set', 'base', '2']] }
    yield { stored: stored(cookie), cookies: [good], actions: [['set', 'base', '2'], ['save'], ['cookie', { maxAge: 7000 }]] }
  }
  const values = ['', '"base":1', '"id":5', '"base":1,"save":2', '"toString":1', '"__proto__":{"x":1}', '"constructor":null', '"req":{}',
    '"b":1,"10":2,"2":3,"a":4', '"a":1,"a":2', '"a":1.0', '"a":1e21', '"a":-0', '"a":0.1000000000000000055', '"a":"\\u00e9\\ud83e\\udd80"',
    '"a":"\\ud800"', '"\\ud800":1', '"a":"\u2028\u007f"', '"a":"\\/\\b\\f\\n\\r\\t\\u0001"', '"a":{"cookie":1,"b":{"2":1,"1":2}}', '"":1',
    '"a":[[],{},[{}],null,true]', '"a":9007199254740993', '"a" : { "b" : [ 1 , 2 ] } ', '"sessionID":1', '"__lastAccess":1767323045678']
  const acts = [[], [set], [['set', 'a', '1.0']], [['delete', 'a']], [['delete', 'a'], set], [['delete', 'base'], ['set', 'base', '1']],
    [['clear']], [['clear'], ['set', 'base', '1']], [['set', 'a', '2'], ['set', 'a', '1']], [['set', 'c', '1'], ['delete', 'c']], [['reload']], [['save']]]
  for (const rest of values) {
    for (const actions of acts) yield { stored: stored(aged, rest), cookies: [good], actions }
    yield { stored: stored(plain, rest), cookies: [good], options: { resave: true }, actions: [] }
  }
  yield { stored: ` { "a" : 1 , "cookie" : ${JSON.stringify(aged, null, 2)} , "b" : 2 } `, cookies: [good], actions: [['set', 'c', '3']] }
  yield { stored: `{"cookie":{},"a":1,"cookie":${JSON.stringify(aged)}}`, cookies: [good], actions: [['set', 'c', '3']] }
}

/** Values that a handler sets. */
function* values() {
  const texts = ['null', 'true', '0', '-0', '1.5', '1e21', '1e-7', '123456789012345680000', '9007199254740991', '""', '"\\ud800"', '"é\\n\u2028"', '[]',
    '{"b":1,"2":2,"1":3}', '[1,[2,{"cookie":3}]]', '{"a":{"b":{"c":{}}}}', '"</script>"', '"\\u0000"', '"\\""']
  for (const text of texts) {
    yield { actions: [['set', 'v', text]], options: { cookie: { maxAge: 60000 } } }
    yield { stored: stored(aged, `"v":${text}`), cookies: [good], actions: [['set', 'v', text]] }
    yield { stored: stored(aged), cookies: [good], actions: [['set', '7', text], ['set', 'base', text], ['save'], ['set', '3', text]] }
  }
  yield { actions: [['set_date', 'd', 0]] }
  yield { actions: [['set_undefined', 'u']] }
  yield { actions: [['set_undefined', 'u']], stored: stored(aged, '"u":1'), cookies: [good] }
  for (const name of ['', 'é', 'a b', '"', '\\', '0', '01', '-1', '4294967295', 'sid', 'Cookie', '__proto', 'nil', '\u2028']) {
    yield { actions: [['set', name, '1'], ['set', 'z', '2']] }
    yield { actions: [['set', name, '2'], ['delete', name], ['set', name, '1']], stored: stored(aged, `${JSON.stringify(name)}:1,"z":1`), cookies: [good] }
  }
}

/** Changes of the session's own cookie. */
function* ownCookies() {
  const changes = [{ maxAge: 5000 }, { maxAge: 0 }, { maxAge: -5000 }, { maxAge: null }, { expires: date('2030-01-01T00:00:00.000Z') },
    { expires: date('2026-01-02T03:04:00.000Z') }, { expires: null }, { path: '/x' }, { domain: 'example.com' }, { secure: true }, { secure: false }, { httpOnly: false },
    { sameSite: 'strict' }, { sameSite: 'auto' }, { secure: 'auto' }, { priority: 'high' }, { partitioned: true }, { domain: 'a b' }, { path: '/;' },
    { maxAge: 5000, path: '/y', sameSite: 'none', secure: true }]
  for (const change of changes) {
    const cookie = ['cookie', change]
    for (const [kept, cookies] of [[null, []], [stored(plain), [good]], [stored(aged), [good]]]) {
      const from = kept === null ? {} : { stored: kept, cookies }
      for (const options of [{}, { rolling: true }, { resave: true, saveUninitialized: true }]) yield { ...from, options, actions: [cookie] }
      yield { ...from, actions: [cookie, set] }
      yield { ...from, actions: [set, ['save'], cookie] }
      yield { ...from, actions: [['regenerate'], cookie] }
      yield { ...from, actions: [cookie, ['regenerate']] }
      yield { ...from, options: { proxy: true }, headers: [['x-forwarded-proto', 'https']], actions: [cookie, set] }
      if (kept !== null) yield { ...from, options: { rolling: true }, actions: [cookie, ['reload']] }
    }
  }
}

/** Every incoming cookie with every action under all options: the rows of decision-matrix.json, and as many again. */
function* grid() {
  const incoming = { none: [], valid: [good], unsigned: [`connect.sid=${SEED}`], bad_signature: [`connect.sid=${signed(SEED)}x`],
    unknown: [`connect.sid=${signed('8LlJI2EF_qC4w84Wt3YM0QSazfHY-1jw')}`], expired: [good] }
  const actions = [[], [set], [['set', 'base', '1']], [['cookie', { maxAge: 120000 }]], [['touch']], [['save']], [set, ['save']],
    [set, ['save'], ['set', 'y', '1']], [['regenerate']], [['regenerate'], set], [['destroy']], [['null']], [['remove']], [['reload']],
    [['reload'], set], [set, ['reload']], [set, ['destroy']], [['regenerate'], ['save']], [['regenerate'], ['destroy']], [['delete', 'base']]]
  for (const [name, cookies] of Object.entries(incoming)) {
    for (const action of actions) {
      for (const options of optionSets()) {
        const cookie = options.cookie ? aged : plain
        const kept = name === 'expired' ? { ...aged, expires: '2026-01-02T03:04:05.000Z' } : cookie
        yield { cookies, stored: stored(kept), options, actions: action }
      }
    }
  }
}

function* optionSets() {
  for (let bits = 0; bits < 32; bits++) {
    const is = bit => (bits & (1 << bit)) !== 0
    const cookie = is(3) ? { cookie: { maxAge: 60000 } } : {}
    yield { resave: is(0), saveUninitialized: is(1), rolling: is(2), ...cookie, unset: is(4) ? 'destroy' : 'keep' }
  }
}

/** What a handler does one after the other, and what it ends with. */
function* ends() {
  const steps = [set, ['save'], ['reload'], ['regenerate'], ['touch'], ['cookie', { maxAge: 7000 }]]
  const lasts = [[], [['destroy']], [['null']], [['remove']]]
  const incoming = { none: [], valid: [good], unknown: [`connect.sid=${signed('8LlJI2EF_qC4w84Wt3YM0QSazfHY-1jw')}`] }
  const sets = [{}, { resave: true, saveUninitialized: true }, { unset: 'destroy', rolling: true }, { saveUninitialized: true, unset: 'destroy', cookie: { maxAge: 60000 } }]
  for (const cookies of Object.values(incoming)) {
    for (const first of steps) {
      for (const second of steps) {
        for (const last of lasts) {
          for (const options of sets) yield { cookies, stored: stored(aged), options, actions: [first, second, ...last] }
        }
      }
    }
  }
}

/** Three visits of one browser, which comes back with what it has: also with a cookie whose session has ended. */
function* returns() {
  const visits = [[], [set], [['save']], [['regenerate']], [['destroy']], [['null']], [set, ['save'], ['destroy']]]
  for (const options of [{}, { saveUninitialized: true }, { rolling: true, unset: 'destroy', resave: true }]) {
    for (const one of visits) {
      for (const two of visits) {
        for (const three of visits) {
          yield { options, series: [[set], one, two, three].map(actions => ({ after: 1000, actions })) }
        }
      }
    }
  }
}

/** A generator of random numbers that a seed makes the same everywhere (mulberry32). */
function random(seed) {
  return limit => {
    seed = (seed + 0x6d2b79f5) | 0
    let bits = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) % limit
  }
}

function* some(seed, count) {
  const below = random(seed)
  const pick = list => list[below(list.length)]
  const sets = [...optionSets()]
  const attributes = [['path', ['/', '/x', '/a b']], ['domain', ['example.com', '.a.b']], ['httpOnly', [false, true]], ['secure', [true, false, 'auto']],
    ['sameSite', [true, false, 'lax', 'Strict', 'NONE', 'auto']], ['priority', ['low', 'Medium', 'HIGH']], ['partitioned', [true, false]],
    ['maxAge', [1000, 60000, 86400000, 12.7]]]
  const someCookie = () => Object.fromEntries(attributes.filter(() => below(4) === 0).map(([name, list]) => [name, pick(list)]))
  const names = ['a', 'b', 'base', '1', '10', 'é']
  const texts = ['1', '2', '"x"', 'null', '{"b":1,"a":[1.50]}', '[]', '1.0', '-0', '"\\ud800"']
  const steps = {
    set: () => ['set', pick(names), pick(texts)], delete: () => ['delete', pick(names)], clear: () => ['clear'], save: () => ['save'], touch: () => ['touch'],
    reload: () => ['reload'], regenerate: () => ['regenerate'], cookie: () => ['cookie', pick([{ maxAge: 9000 }, { maxAge: null }, { path: '/z' }, { secure: true }])]
  }
  const weights = ['set', 'set', 'set', 'delete', 'delete', 'clear', 'save', 'save', 'touch', 'reload', 'regenerate', 'cookie']
  const mutate = text => {
    const characters = [...text]
    for (let times = 1 + below(2); times > 0; times--) {
      const at = below(characters.length)
      characters.splice(at, below(2), pick(['', ' ', ';', '=', '"', '%', '%20', '.', ',', 'x', '\t', '\u00e9', 'connect.sid=', '; ', 's:']))
    }
    return characters.join('')
  }
  for (let number = 0; number < count; number++) {
    const options = { ...pick(sets) }
    if (below(3) === 0) options.cookie = someCookie()
    if (below(4) === 0) options.proxy = true
    const actions = []
    for (let length = below(6); length > 0; length--) actions.push(steps[pick(weights)]())
    if (below(4) === 0) actions.push([pick(['destroy', 'null', 'remove'])])
    if (options.cookie && below(3) === 0) options.cookie_is_function = true
    const odd = below(3) === 0 ? { [pick(['path', 'domain', 'secure', 'sameSite', 'priority', 'httpOnly', 'partitioned', 'originalMaxAge', 'more'])]:
      pick([null, false]) } : {}
    const end = new Date(NOW + pick([1, 30000, 60000, 60000, 86400000, 0, -1])).toISOString()
    const own = below(3) === 0 ? { originalMaxAge: pick([60000, 60000, null, 1000]), expires: end, ...someCookie(), maxAge: undefined, ...odd } : pick([plain, aged])
    const rest = names.filter(() => below(3) === 0).map(name => `"${name}":${pick(texts)}`).join(',')
    yield {
      options, actions, stored: below(8) === 0 ? undefined : stored(own, rest),
      cookies: pick([[], [good], [good], [good], [good], [mutate(good)], ['a=b', mutate(good)], [mutate('connect.sid=x'), good], [`connect.sid=${signed('unknown')}`]]),
      headers: below(3) === 0 ? [['x-forwarded-proto', pick(['https', 'http', 'HTTPS, http'])]] : [],
      url: pick(['/', '/x', '/x/y?z'])
    }
  }
}

/** Series of requests of one browser, with time between them. */
function* series(seed, count) {
  const below = random(seed)
  const pick = list => list[below(list.length)]
  const sets = [...optionSets()]
  let value = 0
  const steps = {
    set: () => [['set', pick(['a', 'b', '1']), String(++value)]], same: () => [['set', 'a', '0']], delete: () => [['delete', pick(['a', 'b'])]],
    reload: () => [['reload']], regenerate: () => [['regenerate']], touch: () => [['touch']],
    // A change of the cookie alone is kept by the memory store of Express only.
    cookie: () => [['cookie', { maxAge: pick([null, 1000, 30000, 90000]) }], ['set', 'c', String(++value)]]
  }
  const kinds = ['set', 'set', 'same', 'delete', 'reload', 'regenerate', 'touch', 'cookie']
  for (let number = 0; number < count; number++) {
    const visits = []
    for (let length = 2 + below(7); length > 0; length--) {
      const actions = []
      for (let size = below(4); size > 0; size--) actions.push(...steps[pick(kinds)]())
      if (below(4) === 0) actions.push([pick(['destroy', 'destroy', 'null'])])
      else if (below(3) === 0) actions.push(['save'])
      visits.push({ after: pick([0, 0, 1, 500, 999, 20000, 29999, 30000, 59999, 60000, 61000]), actions })
    }
    yield { options: pick(sets), series: visits }
  }
}

/** Signatures of odd texts. */
function* signatures() {
  const texts = ['', '.', '..', 'a.', '.a', ' ', '\u0000', '日本語', '🦀', 'x'.repeat(500), 's:x', 'a\nb', '%2E', '\u00e9', 'e\u0301', '=', '+/']
  for (const text of texts) {
    for (const secret of ['a', SECRET, 'clé 🔑', 'y'.repeat(64), 'y'.repeat(65), '\u0000']) {
      yield { sign: [text, secret] }
    }
  }
  const right = signature.sign('sid', SECRET)
  const wrong = [right, right + '=', right + ' ', ' ' + right, right.slice(0, -1), right + 'A', right.replace('.', '..'), right.toUpperCase(), 'sid', 'sid.', '.', '',
    'sid.%', right.slice(0, -1) + String.fromCharCode(right.charCodeAt(right.length - 1) + 1), right.replace(/\+/g, '-').replace(/\//g, '_'), right + '\n', right + '\u0000',
    signature.sign('', SECRET), signature.sign('a.b', SECRET), signature.sign('日', SECRET), 'sid.' + 'é'.repeat(43), right.replace(/.$/, 'é')]
  for (const text of wrong) yield { unsign: [text, SECRET] }
  yield { unsign: [right, 'nyan cat'] }
}

/** Sessions that are stored and have a cookie though nothing is set. */
const eager = list => function* () {
  for (const input of list()) yield { ...input, options: { saveUninitialized: true, ...input.options } }
}

const lists = { cookies: eager(cookies), proxies: eager(proxies), presented, paths, kept, values, ownCookies, signatures, ends, returns }

module.exports = { lists, grid, some, series }
