// What OpenAI's client for Node must get from a server, whichever model it serves.
//
//   node openai_suite.mjs BASE_URL MODEL [KEY]
//
// As openai_suite.py: each case at once and streamed, which must say the same.
import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";

const [baseURL, model, apiKey = "none"] = process.argv.slice(2);
const scripted = process.env.SWITCHYARD_SCRIPTED_ANSWER;
// Node's own fetch: the one that version 4 brings calls every stream closed too early on Debian 12's Node 18, even of
// Node's own server.
const { fetch } = globalThis;
const timeout = process.env.SWITCHYARD_SANITIZED ? 600000 : 120000;
const api = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout, fetch });
const messages = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "Name three colours." },
];
const prompt = "The colours of the rainbow are";

function take(told, part) {
  for (const choice of part.choices) {
    const text = choice.message?.content ?? choice.delta?.content ?? choice.text ?? "";
    told.texts[choice.index] = (told.texts[choice.index] ?? "") + text;
    if (choice.finish_reason) told.finish[choice.index] = choice.finish_reason;
    const tokens = choice.logprobs?.content?.map((t) => t.token) ?? choice.logprobs?.tokens;
    if (tokens) told.tokens = [...(told.tokens ?? []), ...tokens];
  }
  told.usage = part.usage ?? told.usage;
  return told;
}

async function ask(endpoint, stream, fields) {
  const completions = endpoint === "chat" ? api.chat.completions : api.completions;
  const body = { model, ...(endpoint === "chat" ? { messages } : { prompt }), ...fields };
  const told = { texts: [], finish: [] };
  if (!stream) return take(told, await completions.create(body));
  const chunks = await completions.create({
    ...body, stream: true, stream_options: { include_usage: true },
  });
  for await (const chunk of chunks) take(told, chunk);
  return told;
}

const greedy = { temperature: 0, max_tokens: 12 };
const seeded = { temperature: 1, seed: 7, max_tokens: 12 };
const nothing = () => {};
const noStop = (told) => assert.ok(scripted || !told.texts[0].includes("e")); // a script knows no stops
const cases = [
  ["chat", greedy, nothing],
  ["text", greedy, nothing],
  ["chat", seeded, nothing],
  ["text", { ...seeded, n: 2 }, (told) => assert.equal(told.texts.length, 2)],
  ["chat", { ...seeded, n: 2, user: "u" }, (told) => assert.equal(told.texts.length, 2)],
  ["chat", { ...greedy, stop: "e" }, noStop],
  ["text", { ...greedy, stop: ["e", "zzz"] }, noStop],
  ["chat", { temperature: 0, max_completion_tokens: 12, ignore_eos: true },
    (told) => assert.equal(told.usage.completion_tokens, 12)],
  ["text", { ...greedy, ignore_eos: true, min_tokens: 4 }, (told) => assert.equal(told.finish[0], "length")],
  ["chat", { ...seeded, top_p: 0.5, presence_penalty: 0.5, frequency_penalty: 0.5 }, nothing],
  ["chat", { ...seeded, top_k: 5, min_p: 0.05, logit_bias: { 40: -100 } }, nothing],
  ["chat", { ...greedy, logprobs: true, top_logprobs: 3 },
    (told) => assert.equal(told.tokens.length, told.usage.completion_tokens)],
  ["text", { ...greedy, logprobs: 3 },
    (told) => assert.equal(told.tokens.length, told.usage.completion_tokens)],
  ["chat", { ...seeded, max_tokens: 40, response_format: { type: "json_schema", json_schema: {
    name: "s", strict: true, schema: { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"],
      additionalProperties: false } } } },
    (told) => assert.ok(scripted || typeof JSON.parse(told.texts[0]).ok === "boolean")],
  ["text", { ...greedy, prompt: ["One", "Two"] }, (told) => assert.equal(told.texts.length, 2)],
  ["text", { ...greedy, prompt: [[72, 101], [108]] }, (told) => assert.equal(told.texts.length, 2)],
  ["text", { ...greedy, echo: true }, (told) => assert.ok(told.texts[0].startsWith(prompt))],
];

for (const [endpoint, fields, check] of cases) {
  test(`${endpoint} ${JSON.stringify(fields)}`, async () => {
    const [whole, streamed] = await Promise.all([ask(endpoint, false, fields), ask(endpoint, true, fields)]);
    assert.deepEqual(streamed.texts, whole.texts);
    assert.deepEqual(streamed.finish, whole.finish);
    assert.equal(streamed.usage.completion_tokens, whole.usage.completion_tokens);
    check(whole);
    check(streamed);
  });
}

test("the stream helper puts the answer together", async () => {
  // Version 4 has it under beta, later ones have not.
  const { completions } = api.chat.completions.stream ? api.chat : api.beta.chat;
  const final = await completions.stream({ model, messages, ...greedy }).finalMessage();
  assert.equal(final.role, "assistant");
  if (scripted) assert.equal(final.content, scripted.slice(0, 12));
});

test("the best of several", async () => {
  const answer = await api.completions.create({ model, prompt, n: 1, best_of: 3, max_tokens: 4 });
  assert.equal(answer.choices.length, 1);
  assert.equal(answer.usage.completion_tokens > 4, true);
});

test("embeddings of every kind of input", async () => {
  for (const [input, count] of [["a", 1], [["a", "b"], 2], [[97, 98], 1], [[[97], [98, 99]], 2]]) {
    const answer = await api.embeddings.create({ model, input });
    assert.equal(answer.data.length, count);
    const squares = answer.data[0].embedding.reduce((sum, value) => sum + value * value, 0);
    assert.ok(Math.abs(squares - 1) < 1e-4);
  }
  const plain = await api.embeddings.create({ model, input: "a", encoding_format: "float", dimensions: 3 });
  assert.equal(plain.data[0].embedding.length, 3);
});

test("models are listed and found", async () => {
  assert.equal((await api.models.list()).data[0].id, model);
  assert.equal((await api.models.retrieve(model)).id, model);
});

test("a stream that is left is cancelled", async () => {
  const stream = await api.chat.completions.create({ model, messages, stream: true });
  for await (const chunk of stream) {
    assert.equal(chunk.object, "chat.completion.chunk");
    break;
  }
  assert.equal((await api.models.list()).data[0].id, model);
});

test("errors have the client's types and fields", async () => {
  const refused = async (kind, body, code, param) => {
    await assert.rejects(api.chat.completions.create({ model, messages, ...body }), (error) => {
      assert.ok(error instanceof kind, String(error));
      assert.equal(error.code, code);
      assert.equal(error.param, param);
      return true;
    });
  };
  await refused(OpenAI.NotFoundError, { model: "other" }, "model_not_found", "model");
  await refused(OpenAI.BadRequestError, { temperature: 3 }, "decimal_above_max_value", "temperature");
  await refused(OpenAI.BadRequestError, { temperature: 3, stream: true }, "decimal_above_max_value",
    "temperature");
  if (apiKey !== "none") {
    const stranger = new OpenAI({ baseURL, apiKey: "sk-wrong", maxRetries: 0, fetch });
    await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
  }
});
