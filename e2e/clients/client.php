<?php
// What PHP clients of the Users API send and how they take answers apart, after the contract's description of them. They are
// written to the socket byte by byte: which headers go out, in which order, and whether there is a Content-Length, is the point.

class AuthError extends Exception {}
class AuthenticationFailed extends AuthError {}
class RecordNotFound extends AuthError {}
class UnparsableResponse extends AuthError {}

// Result is an answer, taken apart.
class Result {
	public array $fields = [];
	public array $results = [];
	public array $errors = [];
	public array $metadata = [];
	public function __construct(public int $status, public array $headers) {}
	public function __get(string $name) { return $this->fields[$name] ?? null; }
	public function hasErrors(): bool { return count($this->errors) > 0; }
}

// Kinds are the kinds of objects that these clients know: for each field what it is, one of several. A field with a "?" may be missing; what
// is not listed is no concern of theirs.
class Kinds {
	private static ?array $all = null;

	// check throws where an object anywhere in an answer is of no known kind, or not as its kind is.
	public static function check(mixed $value): void {
		if (!is_array($value)) {
			return;
		}
		if (is_string($value['object'] ?? null)) {
			self::compare($value);
		}
		foreach ($value as $one) {
			self::check($one);
		}
	}

	private static function compare(array $object): void {
		self::$all ??= json_decode(file_get_contents(__DIR__ . '/kinds.json'), true);
		$kind = preg_match('{^k(v|pw)_}', $object['token'] ?? '') ? 'user with a one-time token' : $object['object'];
		foreach (self::$all[$kind] as $field => $wanted) {
			$name = rtrim($field, '?');
			if (!array_key_exists($name, $object) && $name !== $field) {
				continue;
			}
			if (!array_filter(explode('|', $wanted), fn($word) => self::is($object[$name], $word))) {
				throw new Exception("$kind: $name is " . json_encode($object[$name]) . ", not $wanted");
			}
		}
	}

	// is says whether a value is what a word says: a type, the beginning of a text, or the text itself.
	private static function is(mixed $value, string $word): bool {
		return match ($word) {
			'null' => $value === null,
			'string' => is_string($value),
			'number' => is_int($value),
			'time' => (is_int($value) || is_float($value)) && $value > 1300000000 && $value < time() + 60,
			'bool' => is_bool($value),
			'array', 'object' => is_array($value), // which PHP does not tell apart
			default => $value === $word || preg_match('{_$|:$|^ey$}', $word) && is_string($value) && str_starts_with($value, $word),
		};
	}
}

// Client is the layer below the resources: one connection that is kept.
class Client {
	private $socket = null;
	private string $host;
	private string $path;
	private string $headers;

	public function __construct(public string $version, string $url, string $key, ?string $realm) {
		$parts = parse_url(str_ends_with($url, '/') ? $url : "$url/");
		[$this->host, $this->path] = ["{$parts['host']}:{$parts['port']}", $parts['path']];
		$this->headers = "Host: {$this->host}\r\nAccept-Encoding: gzip\r\nContent-Type: application/json\r\nUser-Agent: AuthRocket/php v$version\r\nX-Authrocket-Api-Key: $key\r\n"
			. ($realm ? "X-Authrocket-Realm: $realm\r\n" : '');
	}

	public function get(string $path, ?array $query = null): Result { return $this->send('GET', $path . ($query ? '?' . http_build_query($query) : ''), null); }
	public function post(string $path, ?array $fields = null): Result { return $this->send('POST', $path, $fields); }
	public function put(string $path, ?array $fields = null): Result { return $this->send('PUT', $path, $fields); }
	public function delete(string $path, ?array $fields = null): Result { return $this->send('DELETE', $path, $fields); }

	private function send(string $method, string $path, ?array $fields): Result {
		$body = $fields === null ? '' : json_encode($fields);
		$length = $body !== '' || $method === 'POST' || $method === 'PUT' ? 'Content-Length: ' . strlen($body) . "\r\n" : '';
		$this->socket ??= stream_socket_client("tcp://{$this->host}", $code, $why, 10) ?: throw new Exception($why);
		stream_set_timeout($this->socket, 50);
		fwrite($this->socket, "$method {$this->path}$path HTTP/1.1\r\n{$this->headers}$length\r\n$body");
		return $this->take($path);
	}

	// take reads an answer to its end, so that the connection can be used again.
	private function take(string $path): Result {
		$line = fgets($this->socket);
		if ($line === false || !preg_match('{^HTTP/1\.1 (\d+)}', $line, $found)) {
			throw new Exception("no answer to $path: " . var_export($line, true));
		}
		$headers = [];
		while (($line = rtrim(fgets($this->socket))) !== '') {
			[$name, $value] = explode(':', $line, 2);
			$headers[strtolower($name)] = trim($value);
		}
		$status = (int) $found[1];
		$body = $status === 204 ? '' : $this->body($headers);
		if (($headers['content-encoding'] ?? '') === 'gzip') {
			$body = gzdecode($body);
		}
		if (($headers['connection'] ?? '') === 'close') {
			$this->socket = null;
		}
		$this->judge($status, $path, $body);
		return $this->parse(new Result($status, $headers), $body);
	}

	private function body(array $headers): string {
		if (($headers['transfer-encoding'] ?? '') !== 'chunked') {
			$length = (int) ($headers['content-length'] ?? 0);
			return $length > 0 ? stream_get_contents($this->socket, $length) : '';
		}
		$body = '';
		while (($size = hexdec(trim(fgets($this->socket)))) > 0) {
			$body .= stream_get_contents($this->socket, $size);
			fgets($this->socket);
		}
		fgets($this->socket);
		return $body;
	}

	private function judge(int $status, string $path, string $body): void {
		match (true) {
			$status === 401 => throw new AuthenticationFailed('Authentication failed'),
			$status === 403 => throw new AuthError('Access denied'),
			$status === 404 => throw new RecordNotFound("Not found: $path"),
			$status === 409, $status === 422 => null,
			$status === 429 => throw new AuthError('Rate limited'),
			$status >= 300 => throw new AuthError("Error: $status $body"),
			default => null,
		};
	}

	// parse decodes what says that it is JSON, an empty body among it: in these versions, that throws.
	private function parse(Result $r, string $text): Result {
		$body = [];
		if (str_starts_with($r->headers['content-type'] ?? '', 'application/json')) {
			$body = json_decode($text, true);
			if (json_last_error() !== JSON_ERROR_NONE) {
				throw new UnparsableResponse(json_last_error_msg());
			}
			Kinds::check($body);
		} elseif ($text !== '') {
			throw new UnparsableResponse('a body that is not JSON');
		}
		if (isset($body['errors'])) {
			foreach ($body['errors'] as $messages) {
				$r->errors += $messages; // by index: of several attributes the first shows
			}
		} elseif (isset($body['collection'])) {
			$r->results = $body['collection'];
			$r->metadata = ['more_results' => $body['more_results']];
		} else {
			$r->fields = $body;
		}
		if (($r->status === 409 || $r->status === 422) && !$r->errors) {
			$r->errors[] = 'Validation error';
		}
		return $r;
	}
}

// Kind is one kind of object, with the calls that most kinds have.
class Kind {
	public function __construct(private Client $client, private string $path, private string $root) {}
	public function all(?array $query = null): Result { return $this->client->get($this->path, $query); }
	public function first(array $query = []): ?array { return $this->all(array_merge($query, ['max_results' => 1]))->results[0] ?? null; }
	public function find(string $id, ?array $query = null): Result { return $this->client->get("{$this->path}/" . urlencode($id), $query); }
	public function create(array $fields): Result { return $this->client->post($this->path, $this->rooted($fields)); }
	public function update(string $id, array $fields): Result { return $this->client->put("{$this->path}/" . urlencode($id), $this->rooted($fields)); }
	public function delete(string $id, ?array $fields = null): Result { return $this->client->delete("{$this->path}/" . urlencode($id), $fields); }
	// act is a call about one object that has a word of its own, with the object under its root.
	public function act(string $id, string $word, array $fields, string $method = 'post'): Result {
		return $this->client->$method("{$this->path}/" . urlencode($id) . "/$word", $this->rooted($fields));
	}
	// ask is such a call with its members at the top, or none at all.
	public function ask(string $where, ?array $fields = null): Result { return $this->client->post("{$this->path}/$where", $fields); }

	// rooted puts the object under its name, unless the program did, and the request attributes beside it.
	private function rooted(array $fields): array {
		if (isset($fields[$this->root])) {
			return $fields;
		}
		$beside = array_intersect_key($fields, ['request' => 1]);
		return [$this->root => array_diff_key($fields, $beside)] + $beside; // nothing is [] in JSON
	}
}

// Walk counts what was as it should be, and which methods were seen to do well and to refuse.
class Walk {
	private int $passed = 0;
	private int $failed = 0;
	private array $unseen;
	public function __construct(private string $name, array $methods) { $this->unseen = ['good' => $methods, 'bad' => $methods]; }
	public function good(string $method, string $what, mixed $got, mixed $want): void { $this->note('good', $method, $what, $got, $want); }
	public function bad(string $method, string $what, mixed $got, mixed $want): void { $this->note('bad', $method, $what, $got, $want); }

	private function note(string $side, string $method, string $what, mixed $got, mixed $want): void {
		$this->unseen[$side] = array_diff($this->unseen[$side], [$method]);
		if ($got === $want) {
			$this->passed++;
			return;
		}
		$this->fail("$method: $what: got " . json_encode($got) . ', want ' . json_encode($want));
	}

	private function fail(string $what): void {
		$this->failed++;
		fwrite(STDERR, "{$this->name}: $what\n");
	}

	// finish says how it went. A method that was not tried both ways is a failure.
	public function finish(): never {
		foreach ($this->unseen as $side => $methods) {
			if ($methods) {
				$this->fail("not tried with $side input: " . implode(', ', $methods));
			}
		}
		echo "{$this->name}: {$this->passed} passed, {$this->failed} failed\n";
		exit($this->failed ? 1 : 0);
	}
}

// raises is the name of what a call ends with, "" where it ends well.
function raises(callable $call): string {
	try {
		$call();
		return '';
	} catch (AuthError $e) {
		return $e::class === 'AuthError' ? $e->getMessage() : $e::class;
	}
}

// plain decodes base64url.
function plain(string $part): string { return base64_decode(strtr($part, '-_', '+/')); }

// fromToken reads a session token as these clients do: signature, expiry and an iat that is not ahead by more than ten
// seconds; by the length of the secret it is an HMAC secret or an RSA public key. A bad token is null.
function fromToken(string $token, string $secret): ?array {
	$parts = explode('.', $token);
	$header = json_decode(plain($parts[0]), true);
	$claims = json_decode(plain($parts[1] ?? ''), true);
	$rsa = strlen($secret) > 256;
	if (count($parts) !== 3 || !$header || !$claims || $header['alg'] !== ($rsa ? 'RS256' : 'HS256')) {
		return null;
	}
	$signed = "$parts[0].$parts[1]";
	$good = $rsa ? openssl_verify($signed, plain($parts[2]), $secret, OPENSSL_ALGO_SHA256) === 1
		: hash_equals(hash_hmac('sha256', $signed, $secret, true), plain($parts[2]));
	return $good && $claims['exp'] > time() - 10 && $claims['iat'] <= time() + 10 ? $claims : null;
}

// totp is the code that an authenticator shows (RFC 6238), so many steps from now.
function totp(string $secret, int $steps = 0): string {
	$bits = implode('', array_map(fn($c) => sprintf('%05b', strpos('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', $c)), str_split(rtrim($secret, '='))));
	$key = implode('', array_map(fn($byte) => chr(bindec($byte)), str_split(substr($bits, 0, intdiv(strlen($bits), 8) * 8), 8)));
	$mac = hash_hmac('sha1', pack('J', intdiv(time(), 30) + $steps), $key, true);
	return sprintf('%06d', (unpack('N', substr($mac, ord($mac[19]) & 15, 4))[1] & 0x7fffffff) % 1000000);
}
