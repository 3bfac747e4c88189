// Runs npm's neto-api as it is, for test_clients.py, which says where to find it in NODE_PATH.
//
// stdin:  {"url": "http://127.0.0.1:8000", "settings": {"key": "rk_…"},
//          "calls": [["AddCustomerLog", {"Notes": "…"}], …]}
//         settings: any that the package takes beside url: key, user, oauth_clientId, oauth_secret.
// stdout: [{"answer": …} or {"failure": …}, …]: what the promise of each call resolved to, or was
//         rejected with. Each call waits for the one before it.
"use strict";

const { text } = require("node:stream/consumers");
const { NetoAPI } = require("neto-api");

// The package's own names of the actions.
const METHODS = {
  AddCustomer: "add",
  UpdateCustomer: "update",
  GetCustomer: "get",
  AddCustomerLog: "addLog",
  UpdateCustomerLog: "updateLog",
};

async function outcome(customer, [action, value]) {
  try {
    return { answer: await customer[METHODS[action]](value).exec() };
  } catch (reason) {
    // An Error has nothing that JSON would show, and undefined would be left out.
    return { failure: reason instanceof Error ? String(reason) : (reason ?? null) };
  }
}

async function main() {
  const { url, settings, calls } = JSON.parse(await text(process.stdin));
  const { customer } = new NetoAPI({ url, ...settings });
  const outcomes = [];
  for (const call of calls) {
    outcomes.push(await outcome(customer, call));
  }
  console.log(JSON.stringify(outcomes));
}

main();
