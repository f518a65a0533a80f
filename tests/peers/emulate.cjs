// Loaded before the emulator. Keeps a line per request, so that a test can count them, and takes the Date header from
// the clock at each answer: Node keeps it for a second, in which a test's clock may have moved by weeks.
const fs = require("node:fs");
const http = require("node:http");

const { emit } = http.Server.prototype;
http.Server.prototype.emit = function (event, request, response) {
  if (event === "request") {
    fs.appendFileSync(process.env.REQUESTS_FILE, `${request.method} ${request.url}\n`);
    response.setHeader("Date", new Date().toUTCString());
  }
  return emit.apply(this, arguments);
};
