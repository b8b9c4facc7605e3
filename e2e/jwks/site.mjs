// A guarded app for scripts that are an issuer: 'postern serve' in front of an app that says which headers it was told.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

// serve answers requests at a free port of this machine, and returns the server and its address.
export async function serve(answer) {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, url: `http://127.0.0.1:${server.address().port}` }
}

// freePort returns a port that nobody listens on.
export async function freePort() {
  const { server } = await serve()
  const { port } = server.address()
  await new Promise((done) => server.close(done))
  return port
}

// guarded starts the binary with more settings, as YAML, and a folder for what it writes. It returns ask, which returns what the guarded app
// answers with a token, and stop.
export async function guarded(binary, folder, settings) {
  const app = await serve((request, answer) => answer.end(JSON.stringify(request.headers)))
  const listen = `127.0.0.1:${await freePort()}`
  const own = mkdtempSync(`${folder}/site-`)
  const upstream = `upstream: ${app.url}\n`
  writeFileSync(`${own}/postern.yaml`, `${settings.includes('upstream:') ? settings.replace(/upstream: .*\n/, upstream) : upstream + settings}
listen: ${listen}
api_listen: "off"
data: ${own}/data
`)
  const postern = spawn(binary, ['serve', '--config', `${own}/postern.yaml`], { stdio: ['ignore', 'ignore', 'pipe'] })
  process.on('exit', () => postern.kill('SIGKILL')) // after a surprise
  let log = ''
  postern.stderr.on('data', (text) => { log += text })

  // ask returns what the guarded app answers with a token.
  async function ask(token) {
    const answer = await fetch(`http://${listen}/`, { headers: { Authorization: `Bearer ${token}`, 'X-Postern-User-Id': 'forged' } })
    return { status: answer.status, headers: answer.headers, body: await answer.json() }
  }

  // stop ends it as Ctrl-C does, and the app.
  async function stop() {
    postern.kill('SIGINT')
    if (postern.exitCode === null) await once(postern, 'exit')
    app.server.closeAllConnections()
    app.server.close()
    if (postern.exitCode !== 0) throw new Error(`postern did not stop well: ${log}`)
  }

  for (let tries = 0; ; tries++) {
    if (await fetch(`http://${listen}/`).then((answer) => answer.status === 401, () => false)) return { ask, stop }
    if (tries > 600 || postern.exitCode !== null) throw new Error(`postern did not start: ${log}`)
    await pause(100)
  }
}
