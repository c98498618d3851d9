// amqplib by itself: requests over direct reply-to, matched by id.
const amqp = require('amqplib');

const queue = 'bench-amqplib';

(async () => {
  const connection = await amqp.connect(process.env.BANYAN_TEST_AMQP_URL, { noDelay: true });
  const channel = await connection.createChannel();
  if (process.argv[2] === 'server') {
    await channel.assertQueue(queue, { durable: false });
    await channel.prefetch(200);
    await channel.consume(
      queue,
      ({ properties, content }) =>
        channel.sendToQueue(properties.replyTo, content, { correlationId: properties.correlationId }),
      { noAck: true },
    );
    console.log('ready');
    process.stdin.on('end', () => process.exit(0)).resume();
    return;
  }
  const waiting = new Map();
  let next = 0;
  await channel.consume(
    'amq.rabbitmq.reply-to',
    ({ properties, content }) => {
      waiting.get(properties.correlationId)(content.length);
      waiting.delete(properties.correlationId);
    },
    { noAck: true },
  );
  const body = Buffer.alloc(128, 'x');
  await require('./load')(async () => {
    const id = String(next++);
    const length = await new Promise((resolve) => {
      waiting.set(id, resolve);
      channel.sendToQueue(queue, body, { replyTo: 'amq.rabbitmq.reply-to', correlationId: id });
    });
    if (length !== body.length) throw new Error('another answer');
  });
})();
