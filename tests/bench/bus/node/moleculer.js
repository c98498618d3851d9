// Moleculer over AMQP: as it comes ("default"), or with Nagle's algorithm off and a larger prefetch ("tuned").
const { ServiceBroker } = require('moleculer');

const [, , role, tuning] = process.argv;
const url = process.env.BANYAN_TEST_AMQP_URL;
const broker = new ServiceBroker({
  nodeID: `${role}-${tuning}`,
  namespace: `bench-${tuning}`,
  logger: false,
  transporter:
    tuning === 'tuned'
      ? { type: 'AMQP', options: { url, prefetch: 200, socketOptions: { noDelay: true } } }
      : { type: 'AMQP', options: { url } },
});

(async () => {
  if (role === 'server') {
    broker.createService({ name: 'echoes', actions: { echo: ({ params }) => params } });
    await broker.start();
    console.log('ready');
    process.stdin.on('end', () => process.exit(0)).resume();
    return;
  }
  await broker.start();
  await broker.waitForServices('echoes');
  await require('./load')(async () => {
    const text = 'x'.repeat(100);
    const said = await broker.call('echoes.echo', { text });
    if (said.text !== text) throw new Error('another answer');
  });
})();
