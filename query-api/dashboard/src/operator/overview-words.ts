/** What the state of the partitions comes down to, in words. */
import { count } from "../format";
import { lag } from "../parts/moment";
import type { Level, Partition, Region } from "./api";

/** Further behind than this, answers are called late. */
const LATE_MS = 10_000;

export type Mood = "good" | "late" | "bad";

const CONDITIONS: Record<string, [words: string, mood: Mood]> = {
  live: ["Live", "good"],
  loading: ["Reading the live end", "late"],
  full: ["The live end is full", "bad"],
  sealed_only: ["Answers from files alone", "late"],
  stopped: ["Stopped", "bad"],
};

/** How a partition is, in a few words. */
export function conditionOf(one: Partition): { words: string; mood: Mood } {
  const [words, mood] = CONDITIONS[one.condition] ?? [one.condition.replaceAll("_", " "), "late"];
  if (one.alarms.length > 0) return { words, mood: "bad" };
  if (mood === "good" && (one.lag_ms ?? 0) > LATE_MS) return { words: "Behind", mood: "late" };
  return { words, mood };
}

/** One sentence over all of them, and the worst of their moods. */
export function summaryOf(regions: Region[]): { sentence: string; mood: Mood } {
  const all = regions.flatMap((region) => region.partitions);
  if (all.length === 0) return { sentence: "No partition is known here.", mood: "bad" };
  const moods = all.map((one) => conditionOf(one).mood);
  const unwell = moods.filter((mood) => mood !== "good").length;
  const behind = Math.max(...all.map((one) => one.lag_ms ?? 0));
  const partitions = `${count(all.length)} ${all.length === 1 ? "partition" : "partitions"}`;
  if (unwell === 0) {
    const what = all.length === 1 ? "The partition is live" : `All ${partitions} are live`;
    return { sentence: `${what}; answers are ${lag(behind)} behind the moment.`, mood: "good" };
  }
  const mood = moods.includes("bad") ? "bad" : "late";
  const word = unwell === 1 ? "needs" : "need";
  return {
    sentence: `${count(unwell)} of ${partitions} ${word} a look; the latest answers are ${lag(behind)} behind.`,
    mood,
  };
}

const LEVELS: Record<Level, string> = {
  flush: "By the minute",
  hour: "By hour",
  day: "By day",
  month: "By month",
};

/** What a file of a level covers. */
export function levelWords(level: Level): string {
  return LEVELS[level];
}
