// For hosts that run everything under PM2: web and worker, from the folder of the project.
//
//   make setup web && pm2 start infra/pm2/ecosystem.config.js && pm2 save
//
// Settings and secrets come from .env in the folder of the project (mode 0600), which the service reads itself.
// One worker per database: never more instances of it. Web processes cannot share a port here; for several use
// the compose stack.

const path = require("node:path");

const root = path.resolve(__dirname, "..", "..");

function python(name, module) {
  return {
    name,
    cwd: root,
    script: path.join(root, ".venv", "bin", "python"),
    args: ["-m", module],
    interpreter: "none",
    exec_mode: "fork",
    instances: 1,
    autorestart: true,
    exp_backoff_restart_delay: 200,
    max_memory_restart: "1G",
    // PM2 asks with SIGINT and kills after this; a stop takes ten seconds at most.
    kill_timeout: 20000,
    env: { PYTHONUNBUFFERED: "1" },
    time: false,
    merge_logs: true,
  };
}

module.exports = { apps: [python("signals-web", "app.main"), python("signals-worker", "app.worker")] };
