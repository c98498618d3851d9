// A client's side of the load: orders on standard input ("<calls in flight> <milliseconds>"), results on standard output.
const lines = require('readline').createInterface({ input: process.stdin });

module.exports = async (call) => {
  console.log('ready');
  for await (const line of lines) {
    const [inFlight, time] = line.split(' ').map(Number);
    const times = [];
    let errors = 0;
    const began = process.hrtime.bigint();
    const passed = () => Number(process.hrtime.bigint() - began) / 1e6;
    const caller = async () => {
      while (passed() < time) {
        const asked = process.hrtime.bigint();
        try {
          await call();
          times.push(Number(process.hrtime.bigint() - asked) / 1e3);
        } catch (error) {
          if (errors === 0) console.error(error);
          errors += 1;
        }
      }
    };
    await Promise.all(Array.from({ length: inFlight }, caller));
    const seconds = passed() / 1e3;
    times.sort((a, b) => a - b);
    const at = (share) => times[Math.floor((times.length * share) / 100)] ?? 0;
    console.log(JSON.stringify({ calls: times.length, errors, seconds, p50: at(50), p99: at(99) }));
  }
  process.exit(0);
};
