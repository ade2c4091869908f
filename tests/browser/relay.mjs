// A network between browser and site that can stop and break: a TCP relay.

import { createServer, connect } from 'node:net';

// relay.url leads to the site at `target`, until the end of test `t`.
//   hold(bytes)  of what the browser sends on one connection only so much goes on
//   release()    all of it again
//   cut()        breaks the connections that are open
//   refuse()     and those that come
export async function startRelay(t, target) {
  const { hostname, port } = new URL(target);
  const pairs = new Set();
  let held = Infinity;
  let refusing = false;

  const server = createServer((near) => {
    if (refusing) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(Number(port), hostname);
    const pair = { near, far, sent: 0 };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    near.on('data', (data) => {
      far.write(data);
      pair.sent += data.length;
      if (pair.sent > held) near.pause();
    });
    far.on('data', (data) => near.write(data));
    for (const socket of [near, far]) socket.on('close', end).on('error', end);
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));

  const cut = () => {
    for (const { near } of pairs) near.resetAndDestroy();
  };
  t.after(async () => {
    cut();
    await new Promise((closed) => server.close(closed));
  });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    hold(bytes) { held = bytes; },
    release() {
      held = Infinity;
      for (const { near } of pairs) near.resume();
    },
    refuse() {
      refusing = true;
      cut();
    },
    admit() { refusing = false; },
  };
}
