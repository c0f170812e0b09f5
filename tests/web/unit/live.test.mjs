import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Frames } from '../../../src/tallybook/web/lib/live.js';

const STREAM = 'retry: 2000\n: connected\n\nid: 7\nevent: completed\ndata: {"id":"a"}\n\nevent: dropped\ndata: {"events":3}\n\nid: 8\nevent: failed\ndata: {"id":"b"}\n';

test('events come out whole wherever the stream is cut', () => {
  for (let cut = 0; cut <= STREAM.length; cut += 1) {
    const frames = new Frames();
    const heard = [...frames.feed(STREAM.slice(0, cut)), ...frames.feed(STREAM.slice(cut))];
    assert.deepEqual(heard.map(({ id, event }) => [id, event]), [['7', 'completed'], [null, 'dropped']], String(cut));
    assert.deepEqual(frames.feed('\n').map((one) => one.data.id), ['b']);
  }
});
