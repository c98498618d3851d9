// Emmett: each caller appends one event at a time to streams of its own, with the version that it knows.
const { getPostgreSQLEventStore } = require('@event-driven-io/emmett-postgresql');
const { randomUUID } = require('node:crypto');
const pg = require('pg');

const [, , url, text] = process.argv;
const data = JSON.parse(text);
const types = ['OrderPlaced', 'OrderPaid', 'OrderPacked', 'OrderSent'];
const length = 10;

(async () => {
  const pool = new pg.Pool({ connectionString: url, max: 64 });
  const store = getPostgreSQLEventStore(url, { connectionOptions: { pool } });
  await store.schema.migrate();
  // Streams that nobody is at now.
  const streams = [];
  await require('./load')(async () => {
    const stream = streams.pop() ?? { id: `order-${randomUUID()}`, version: 0 };
    const expectedStreamVersion = stream.version === 0 ? 'STREAM_DOES_NOT_EXIST' : BigInt(stream.version);
    const event = { type: types[stream.version % types.length], data };
    const { nextExpectedStreamVersion } = await store.appendToStream(stream.id, [event], { expectedStreamVersion });
    stream.version += 1;
    if (nextExpectedStreamVersion !== BigInt(stream.version)) throw new Error('another version');
    if (stream.version < length) streams.push(stream);
  });
})();
