#!/usr/bin/env python3
"""Mines neutral spans: dictionary nouns inside which an entry fires although the word has nothing to do with it.

    apt-get download mecab-ipadic && dpkg -x mecab-ipadic_*.deb ipadic
    python3 lexicons/mine-neutral.py ipadic/usr/share/mecab/dic/ipadic > lexicons/neutral-mined.toml

Needs `mimamori` in PATH (or MIMAMORI=path). Nouns alone: the forms of verbs and adjectives are the lexicon's own business. A word enters as it is
written and as it is read, in both kana scripts. Words that are abuse themselves are left out by the list below.
"""
import glob
import json
import os
import subprocess
import sys
import tempfile

PROGRAM = os.environ.get("MIMAMORI", "mimamori")
OWN = "lexicons/neutral-mined.toml"
# The hit is the sense of the word, not a coincidence.
MEANT = (
    "おまえ 馬鹿面 薄馬鹿 クロンボウ チンポ チンコロ めくら ばかたれ おやばか ばかわらい そとばか ちんば ちくしょう 畜生 気狂い 気違い くろんぼう 黒んぼう 盗人 ちんぽ ちんころ いざり ごろつき こじき "
    "バカタレ 阿保 知らせ 殺 死 焼け 火事 障害 聾 失語 難病 労基 点字 けが 怪我 やけど うざったい きもい きも煎り"
).split()


def kana(text, shift):
    low, high = ("ァ", "ヶ") if shift < 0 else ("ぁ", "ゖ")
    return "".join(chr(ord(c) + shift) if low <= c <= high else c for c in text)


def words(folder):
    found = set()
    for path in glob.glob(f"{folder}/Noun*.csv"):
        with open(path, encoding="euc_jp", errors="ignore") as lines:
            for row in (line.rstrip("\n").split(",") for line in lines):
                surface, reading = row[0], row[11]
                found.update(word for word in (surface, reading, kana(reading, -0x60)) if len(word) > 2)
    return sorted(found)


def main(folder):
    lexicons = [path for path in sorted(glob.glob("lexicons/*.toml")) if path != OWN]
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        file.write("\n".join(words(folder)) + "\n")
        file.flush()
        command = [PROGRAM, "--format", "json", "lexicon", "collisions", *lexicons, "--words", file.name]
        lines = subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout.decode().splitlines()
    print('format = 1\n\n# mine-neutral.py が作る。手で直さない。語は IPADIC(NAIST / ICOT。条件は NOTICE-ipadic.txt)から、当たりを内側に含む名詞だけを取り出したもの。\n')
    print('[lexicon]\nid = "base.neutral-mined"\ntitle = "辞書から採った無害な語"\nlayer = "base"')
    for row in sorted((json.loads(line) for line in lines), key=lambda row: row["entry"]):
        kept = sorted({word for word in row["words"] if not any(meant in word for meant in MEANT)})
        if kept:
            print(f'\n[[neutral]]\nid = "neutral.mined.{row["entry"].replace(".", "_")}"\nforms = [')
            print("\n".join(f'  "{word}",' for word in kept))
            print(f']\nnote = "{row["entry"]} の語と偶然重なる名詞"')


if __name__ == "__main__":
    main(*sys.argv[1:])
