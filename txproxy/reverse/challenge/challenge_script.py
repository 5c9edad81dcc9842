"""The script of the page: it looks for a number with which the SHA-256 of the question begins with enough zeros.

Browsers have digests of their own only where a page has come by TLS, and give them one by one: so it has one.
"""

from __future__ import annotations

from typing import Final

SCRIPT: Final = rb"""// A number is looked for with which the SHA-256 of "question:number" begins with enough zeros.
"use strict";

const K = new Uint32Array(64);
const FIRST = new Uint32Array(8);
for (let found = 0, candidate = 2; found < 64; candidate += 1) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= candidate && prime; divisor += 1) prime = candidate % divisor !== 0;
    if (!prime) continue;
    // FIPS 180-4 4.2.2 and 5.3.3: the first 32 bits of the fractional parts of roots of primes
    const fraction = (root) => (root - Math.floor(root)) * 2 ** 32;
    if (found < 8) FIRST[found] = fraction(Math.sqrt(candidate));
    K[found] = fraction(Math.cbrt(candidate));
    found += 1;
}
const W = new Uint32Array(64);
const state = new Uint32Array(8);

function block(bytes, at) {
    for (let i = 0; i < 16; i += 1, at += 4) {
        W[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    }
    for (let i = 16; i < 64; i += 1) {
        const x = W[i - 15], y = W[i - 2];
        const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
        const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
        W[i] = (W[i - 16] + s0 + W[i - 7] + s1) | 0;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i += 1) {
        const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
        const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
        const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
        const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d;
    state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}

// The first 32 bits of the digest of a text in ASCII; no more than that are ever wanted.
function digest(text) {
    const size = text.length;
    const bytes = new Uint8Array(((size + 8) >> 6) * 64 + 64);
    for (let i = 0; i < size; i += 1) bytes[i] = text.charCodeAt(i);
    bytes[size] = 0x80;
    new DataView(bytes.buffer).setUint32(bytes.length - 4, size * 8);
    state.set(FIRST);
    for (let at = 0; at < bytes.length; at += 64) block(bytes, at);
    return state[0];
}

const form = document.getElementById("challenge");
const question = form.elements.question.value;
const bits = Number(question.split("-")[1]);
let number = 0;

function look() {
    // The page is to stay alive meanwhile.
    const end = performance.now() + 50;
    while (performance.now() < end) {
        for (let tries = 0; tries < 500; tries += 1, number += 1) {
            if (digest(question + ":" + number) >>> (32 - bits) === 0) {
                const said = new URLSearchParams({ question, number, to: form.elements.to.value });
                location.replace(form.action + "?" + said);
                return;
            }
        }
    }
    setTimeout(look);
}

if (navigator.cookieEnabled) look();
else document.getElementById("say").textContent = "This site needs a cookie, to know that a browser asks.";
"""
