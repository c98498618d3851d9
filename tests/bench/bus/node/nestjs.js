// NestJS microservices over RabbitMQ, with Nagle's algorithm off.
require('reflect-metadata');
const { NestFactory } = require('@nestjs/core');
const { Controller, Logger, Module } = require('@nestjs/common');
const { ClientProxyFactory, MessagePattern, Transport } = require('@nestjs/microservices');
const { firstValueFrom } = require('rxjs');

// Standard output is for results.
Logger.overrideLogger(false);

const options = {
  urls: [process.env.BANYAN_TEST_AMQP_URL],
  queue: 'bench-nestjs',
  queueOptions: { durable: false },
  socketOptions: { connectionOptions: { noDelay: true } },
};

const serve = async () => {
  class Echoes {
    echo(data) {
      return data;
    }
  }
  MessagePattern('echo')(Echoes.prototype, 'echo', Object.getOwnPropertyDescriptor(Echoes.prototype, 'echo'));
  Controller()(Echoes);
  class Root {}
  Module({ controllers: [Echoes] })(Root);
  const service = await NestFactory.createMicroservice(Root, {
    logger: false,
    transport: Transport.RMQ,
    options: { ...options, noAck: true, prefetchCount: 200 },
  });
  await service.listen();
  console.log('ready');
  process.stdin.on('end', () => process.exit(0)).resume();
};

const call = async () => {
  const client = ClientProxyFactory.create({ transport: Transport.RMQ, options });
  await client.connect();
  await require('./load')(async () => {
    const text = 'x'.repeat(100);
    const said = await firstValueFrom(client.send('echo', { text }));
    if (said.text !== text) throw new Error('another answer');
  });
};

process.argv[2] === 'server' ? serve() : call();
