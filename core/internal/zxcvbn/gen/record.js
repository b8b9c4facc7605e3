// Writes what zxcvbn 4.4.2 says of some passwords: node gen/record.js FOLDER-OF-THE-PACKAGE > testdata/zxcvbn.tsv
const path = require('path');
const zxcvbn = require(path.resolve(process.argv[2], 'lib/main.js'));

const told = ['', 'a', 'zz', 'password', 'Password1', 'P@ssw0rd', 'p4ssw0rd!', 'drowssap', '4321drowssaP', 'correct horse battery staple',
  'correcthorsebatterystaple', 'skip to my lou, my darling', 'Tr0ub4dour&3', 'qwertyuiop', 'qwER43@!', 'zxcvbn', '1qaz2wsx3edc',
  'plokmijnuhb', 'aoeuidhtns', '7894561230', '789+456', 'abcdefghijk987654321', 'acegikmo', 'zyxwvut', 'AAAAAAAA', 'abcabcabcabc',
  'xyzxyzxyz123', '13.5.1986', '1986-05-13', '05/13/86', '13051986', 'maria1991', 'Robert1967!', 'neverforget13/3/1997', 'D0g..................',
  'rWibMFACxAUGZmxhVncy', 'Ba9ZyWABu99[BK#6MBgbH88Tofv)vs$w', 'eheuczkqyq', 'coRrecth0rseba++ery9.23.2007staple$', 'temppass22',
  'lkjhgfdsa', 'ILOVEYOU', 'iLoveYou', 'm0nk3y', 'l33t|33t', '|1|1|1|1', 'TRUSTNO1', 'trustno1trustno1', 'Смородина', 'пароль123', '密码密码密码',
  'naïve café society', 'tidal-ferry-ochre', 'xk4-90fmqsl', 'the quick brown fox', 'thequickbrownfox', 'admin12345', 'summer2019', 'letmein!!!',
  'zaq1@WSX', 'qazwsxedcrfv', 'a1b2c3d4e5', '0987654321', '31415926535', '11111986', '20192019', 'jennifer&david', 'smithjohnsonbrown',
  'hunter2', 'DrOwSsAp', 'mustang69camaro', 'gandalf the grey', 'gandalfthegrey!', 'xX_dragon_Xx', '$uper5ecret', '<at|over'];

// And some that are put together by chance, the same each time.
let seed = 20170207;
const draw = n => {
  seed ^= seed << 13; seed ^= seed >>> 17; seed ^= seed << 5;
  return (seed >>> 0) % n;
};
const parts = ['monkey', 'Margaret', 'blue', 'garden', 'p@ss', 'h0use', 'qwe', 'asdf', '741', '123', '654', 'xyz', '1987', '12/5/78', '!!', 'zz', 'Kw', 'v#',
  'jT9', 'river', 'NOVEMBER', 'elttil', 'correct', '-', ' ', '_', '7Up', 'lmno', 'dvorak', 'c4t', 'ß', 'é'];
for (let i = 0; i < 300; i++) {
  let password = '';
  for (let n = 2 + draw(4); n > 0; n--) password += parts[draw(parts.length)];
  told.push(password);
}
for (const password of told) {
  const {guesses_log10: guesses, score} = zxcvbn(password);
  console.log([JSON.stringify(password), guesses.toFixed(4), score].join('\t'));
}
