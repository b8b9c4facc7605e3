// A guarded app for scripts that are an issuer: 'postern serve' in front of an app that says which headers it was told.
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

// serve answers requests at a free port of this machine, and returns the server and its address. Sockets that ask for any port are not given
// this one: a server that is closed can listen there again.
export async function serve(answer) {
  for (let tries = 0; ; tries++) {
    const server = createServer(answer).listen(11_000 + randomInt(10_000), '127.0.0.1')
    try {
      await once(server, 'listening')
      return { server, url: `http://127.0.0.1:${server.address().port}` }
    } catch (err) {
      if (err.code !== 'EADDRINUSE' || tries > 100) throw err
    }
  }
}

// guarded starts the binary with more settings, as YAML, and a folder for what it writes. It returns ask, which returns what the guarded app
// answers with a token, and stop.
export async function guarded(binary, folder, settings) {
  const app = await serve((request, answer) => answer.end(JSON.stringify(request.headers)))
  const own = mkdtempSync(`${folder}/site-`)
  const upstream = `upstream: ${app.url}\n`
  writeFileSync(`${own}/postern.yaml`, `${settings.includes('upstream:') ? settings.replace(/upstream: .*\n/, upstream) : upstream + settings}
listen: 127.0.0.1:0
api_listen: "off"
data: ${own}/data
`)
  const postern = spawn(binary, ['serve', '--config', `${own}/postern.yaml`], { stdio: ['ignore', 'ignore', 'pipe'] })
  process.on('exit', () => postern.kill('SIGKILL')) // after a surprise
  let log = '', url
  postern.stderr.on('data', (text) => { log += text })

  // ask returns what the guarded app answers with a token.
  async function ask(token) {
    const answer = await fetch(`${url}/`, { headers: { Authorization: `Bearer ${token}`, 'X-Postern-User-Id': 'forged' } })
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

  for (let tries = 0; !url; tries++) {
    if (tries > 600 || postern.exitCode !== null) throw new Error(`postern did not start: ${log}`)
    await pause(100)
    url = log.match(/"msg":"serving".*"guard":"([^"]+)"/)?.[1]
  }
  return { ask, stop }
}
