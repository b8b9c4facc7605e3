<?php
// What a PHP client of the Users API does: every method that its version has, given what it should be given and given what should be
// refused.
//
//	php users_api.php VERSION URL MANAGEMENT_KEY
//
// VERSION is 1.3.0 or 1.2.0, which have the same methods. The key must be one for all realms: the walk makes a realm of its own, and
// deletes it. Prints a line for each check that fails, and the count; ends non-zero where one did.
error_reporting(E_ALL);
set_error_handler(fn(int $no, string $what, string $file, int $line) => throw new ErrorException($what, 0, $no, $file, $line));
require __DIR__ . '/client.php';

[, $version, $url, $key] = $argv;
$methods = ['sessions.fromToken', 'users.authenticate', 'users.authenticateCode', 'users.authenticateKey', 'users.generatePasswordToken',
	'users.requestEmailVerification', 'users.resetPasswordWithToken', 'users.updatePassword', 'users.verifyEmail',
	'authProviders.authorizeUrls', 'authProviders.authorizeUrl', 'authProviders.authorize', 'authProviders.authorizeToken', 'credentials.verify'];
foreach (['authProviders', 'memberships', 'orgs', 'realms', 'users'] as $kind) {
	foreach (['all', 'first', 'find', 'create', 'update', 'delete'] as $call) {
		$methods[] = "$kind.$call";
	}
}
array_push($methods, 'credentials.find', 'credentials.create', 'credentials.update', 'credentials.delete',
	'sessions.all', 'sessions.first', 'sessions.find', 'sessions.create', 'sessions.delete');
$walk = new Walk("php $version", $methods);

const PASSWORD = 'four words make it long';
$missing = fn(string $prefix) => "{$prefix}_0000000000000000000000";
$pid = getmypid();

// Realms, by a client that names none.
$admin = new Client($version, $url, $key, null);
$realms = new Kind($admin, 'realms', 'realm');
$realm = $realms->create(['name' => "PHP $pid"]);
$walk->good('realms.create', 'a realm', [$realm->status, $realm->object, $realm->jwt_algo, $realm->session_minutes], [201, 'realm', 'HS256', 360]);
$walk->bad('realms.create', 'no name', $realms->create(['name' => ''])->hasErrors(), true);
$walk->good('realms.find', 'by id', $realms->find($realm->id)->jwt_key, $realm->jwt_key);
$walk->bad('realms.find', 'nothing', raises(fn() => $realms->find($missing('rl'))), 'RecordNotFound');
$walk->good('realms.all', 'it is there', in_array($realm->id, array_column($realms->all()->results, 'id'), true), true);
$walk->bad('realms.all', 'a bad key', raises(fn() => (new Kind(new Client($version, $url, 'ko_nothing', null), 'realms', 'realm'))->all()), 'Access denied');
$walk->good('realms.first', 'one', $realms->first()['object'], 'realm');
$walk->bad('realms.first', 'a bad key', raises(fn() => (new Kind(new Client($version, $url, '', null), 'realms', 'realm'))->first()), 'Access denied');
$renamed = $realms->update($realm->id, ['name' => "PHP $pid again", 'reference' => 'R1', 'custom' => ['tier' => 1], 'api_key_prefix' => 'php']);
$walk->good('realms.update', 'a name', [$renamed->name, $renamed->reference, $renamed->custom, $renamed->api_key_prefix], ["PHP $pid again", 'R1', ['tier' => 1], 'php']);
$walk->good('realms.update', 'what was read, sent back', $realms->update($realm->id, $realms->find($realm->id)->fields)->errors, []);
$walk->bad('realms.update', 'an algorithm that is none', $realms->update($realm->id, ['jwt_algo' => 'none'])->hasErrors(), true);

$c = new Client($version, $url, $key, $realm->id);
[$users, $credentials, $sessions] = [new Kind($c, 'users', 'user'), new Kind($c, 'credentials', 'credential'), new Kind($c, 'sessions', 'session')];

// A user, from the cradle on.
$person = fn(string $name, array $more = []) => ['user_type' => 'human', 'username' => $name, 'email' => "$name@example.com", 'password' => PASSWORD, 'password_confirmation' => PASSWORD] + $more;
$walk->bad('users.create', 'nothing but a type', $users->create(['user_type' => 'human'])->errors[0], "Username can't be blank");
$walk->bad('users.create', 'nothing at all', $users->create([])->hasErrors(), true);
$user = $users->create($person('Dave', ['first_name' => 'Dave', 'reference' => 'REF', 'custom' => ['plan' => 'pro', 'list' => [1, null]], 'request' => ['ip' => '10.0.0.1', 'client' => 'App']]));
$walk->good('users.create', 'fields', [$user->status, $user->object, count($user->fields), $user->username, $user->reference, $user->custom, $user->membership_count],
	[201, 'user', 17, 'dave', 'REF', ['list' => [1, null], 'plan' => 'pro'], 0]);
$walk->bad('users.create', 'twice', $users->create($person('dave'))->hasErrors(), true);
foreach ([$user->id, 'dave', 'DAVE', 'dave@example.com'] as $name) {
	$walk->good('users.find', $name, $users->find($name)->id, $user->id);
}
$walk->good('users.find', 'expand', $users->find($user->id, ['expand' => ['memberships']])->memberships, []);
$walk->bad('users.find', 'nobody', raises(fn() => $users->find('nobody')), 'RecordNotFound');
$walk->good('users.all', 'fields of one', [count($users->all()->results), count($users->all()->results[0]), $users->all()->metadata['more_results']], [1, 14, false]);
$walk->good('users.all', 'with custom', $users->all(['reference' => 'REF', 'expand' => 'custom'])->results[0]['custom']['plan'], 'pro');
$walk->bad('users.all', 'a sort that is none', $users->all(['sort' => 'age'])->hasErrors(), true);
$walk->good('users.first', 'one', $users->first()['id'], $user->id);
$walk->bad('users.first', 'nobody', $users->first(['reference' => 'nothing']), null);
$walk->good('users.update', 'a name', $users->update('dave', ['first_name' => 'Ann', 'last_name' => 'Smith'])->name, 'Ann Smith');
$walk->good('users.update', 'no custom attributes', $users->update($user->id, ['custom' => new stdClass()])->custom, []);
$walk->good('users.update', 'what was read, sent back', $users->update($user->id, $users->find($user->id)->fields)->errors, []); // custom as []
$walk->bad('users.update', 'a blank username', $users->update($user->id, ['username' => ''])->errors, ["Username can't be blank"]);
$walk->bad('users.update', 'nobody', raises(fn() => $users->update('nobody', ['first_name' => 'X'])), 'RecordNotFound');

$users->create(array_merge($person('Mary Ann'), ['email' => 'mary@example.com']));
$walk->good('users.find', 'a space', $users->find('Mary Ann')->username, 'mary ann');
$users->delete('mary ann');

// Signing in.
$authenticate = fn(string $who, string $password, array $more = []) => $users->ask(urlencode($who) . '/authenticate', ['password' => $password] + $more);
$in = $authenticate('dave', PASSWORD, ['expand' => 'memberships', 'request' => ['ip' => '10.0.0.2']]);
$claims = fromToken($in->token, $realm->jwt_key);
$walk->good('users.authenticate', 'a user and a token', [$in->id, $in->memberships, is_string($in->token)], [$user->id, [], true]);
$walk->good('sessions.fromToken', 'claims', [$claims['uid'], $claims['un'], $claims['n'], $claims['aud'], $claims['exp'] - $claims['iat']], [$user->id, 'dave', 'Ann Smith', $realm->id, 21600]);
$walk->bad('sessions.fromToken', 'another secret', fromToken($in->token, 'jsk_other'), null);
$walk->bad('users.authenticate', 'a wrong password', raises(fn() => $authenticate('dave', 'wrong')), 'AuthenticationFailed');
$walk->bad('users.authenticate', 'nobody', raises(fn() => $authenticate('nobody', 'wrong')), 'RecordNotFound');
$found = $sessions->find($in->token);
$walk->good('sessions.find', 'by token', [$found->user['id'], $found->request, $found->ip, $found->client, $found->expires_at], [$user->id, ['ip' => '10.0.0.2'], '10.0.0.2', null, $claims['exp']]);
$walk->good('sessions.find', 'by id', $sessions->find($claims['tk'])->object, 'session');
$walk->bad('sessions.find', 'nothing', raises(fn() => $sessions->find($missing('kss'))), 'RecordNotFound');
$walk->good('sessions.all', 'of a user', array_column($sessions->all(['user_id' => $user->id])->results, 'id'), [$claims['tk']]);
$walk->bad('sessions.all', 'of nobody', raises(fn() => $sessions->all(['user_id' => $missing('usr')])), 'RecordNotFound');
$walk->good('sessions.first', 'of a user', $sessions->first(['user_id' => $user->id])['id'], $claims['tk']);
$made = $sessions->create(['user_id' => $user->id, 'request' => ['ip' => '10.0.0.3']]);
$walk->good('sessions.create', 'made', [$made->status, $made->request['ip'], fromToken($made->token, $realm->jwt_key)['tk']], [201, '10.0.0.3', $made->id]);
$walk->bad('sessions.create', 'for nobody', raises(fn() => $sessions->create(['user_id' => $missing('usr')])), 'RecordNotFound');
$ended = $sessions->delete($made->id);
$walk->good('sessions.delete', 'ended', [$ended->status, $ended->headers['content-type'] ?? null, raises(fn() => $sessions->find($made->id))], [204, null, 'RecordNotFound']);
$walk->bad('sessions.delete', 'again', raises(fn() => $sessions->delete($made->id)), 'RecordNotFound');

// Passwords.
$change = fn(string $current, string $fresh, string $confirmation) => $users->act($user->id, 'update_password', ['current_password' => $current, 'password' => $fresh, 'password_confirmation' => $confirmation], 'put');
$walk->bad('users.updatePassword', 'confirmation', $change(PASSWORD, PASSWORD . '1', 'x')->errors, ['Password confirmation does not match']);
$walk->bad('users.updatePassword', 'current password', $change('wrong', PASSWORD . '1', PASSWORD . '1')->errors, ['Current password does not match']);
$done = $change(PASSWORD, PASSWORD . '1', PASSWORD . '1');
$walk->good('users.updatePassword', 'done', [$done->status, $done->headers['content-type'] ?? null], [204, null]);
$reset = $users->ask('dave/generate_password_token');
$walk->good('users.generatePasswordToken', 'without a body', [$reset->id, substr($reset->password_reset_token, 0, 4)], [$user->id, 'kpw_']);
$walk->bad('users.generatePasswordToken', 'nobody', raises(fn() => $users->ask('nobody/generate_password_token')), 'RecordNotFound');
$spend = fn(string $token, string $fresh) => $users->act('dave', 'reset_password_with_token', ['token' => $token, 'password' => $fresh, 'password_confirmation' => $fresh, 'request' => ['ip' => '10.0.0.4']]);
$walk->bad('users.resetPasswordWithToken', 'a short one', $spend($reset->password_reset_token, 'short')->hasErrors(), true);
$walk->good('users.resetPasswordWithToken', 'done', $spend($reset->password_reset_token, PASSWORD)->id, $user->id);
$walk->bad('users.resetPasswordWithToken', 'again', raises(fn() => $spend($reset->password_reset_token, PASSWORD)), 'RecordNotFound');

// E-mail addresses, and second factors.
$mail = $users->ask("{$user->id}/request_email_verification");
$walk->good('users.requestEmailVerification', 'without a body', [$mail->email, substr($mail->token, 0, 3)], ['dave@example.com', 'kv_']);
$walk->good('users.requestEmailVerification', 'an array of nothing', substr($users->ask("{$user->id}/request_email_verification", [])->token, 0, 3), 'kv_'); // [] in JSON
$walk->bad('users.requestEmailVerification', 'nobody', raises(fn() => $users->ask('nobody/request_email_verification')), 'RecordNotFound');
$verify = fn(string $token) => $users->act($user->id, 'verify_email', ['token' => $token, 'request' => ['ip' => '127.0.0.1']]);
$walk->good('users.verifyEmail', 'done', $verify($mail->token)->email_verification, 'verified');
$walk->bad('users.verifyEmail', 'again', $verify($mail->token)->errors, ['Verification token already used']);
$enrolled = $credentials->create(['user_id' => $user->id, 'credential_type' => 'totp', 'name' => 'Phone']);
$walk->good('credentials.create', 'an authenticator', [$enrolled->object, $enrolled->state, $enrolled->name, substr($enrolled->provisioning_uri, 0, 15)], ['credential', 'new', 'Phone', 'otpauth://totp/']);
$walk->bad('credentials.verify', 'a wrong code', $credentials->act($enrolled->id, 'verify', ['code' => '000000'])->errors, ['Verification failed']);
$walk->good('credentials.verify', 'a good code', $credentials->act($enrolled->id, 'verify', ['code' => totp($enrolled->otp_secret)])->state, 'active');
$half = $authenticate('dave', PASSWORD)->token;
$code = fn(string $token, string $digits) => $users->act('dave', 'authenticate_code', ['token' => $token, 'code' => $digits, 'request' => ['ip' => '127.0.0.1']]);
$walk->bad('users.authenticateCode', 'a wrong code', raises(fn() => $code($half, '000000')), 'AuthenticationFailed');
$walk->good('users.authenticateCode', 'signed in', fromToken($code($half, totp($enrolled->otp_secret, 1))->token, $realm->jwt_key)['uid'], $user->id);
$walk->bad('users.authenticateCode', 'again', raises(fn() => $code($half, totp($enrolled->otp_secret, 1))), 'RecordNotFound');
$walk->good('credentials.delete', 'the authenticator', $credentials->delete($enrolled->id)->status, 204);

// Api users, and credentials one by one.
$robot = $users->create(['user_type' => 'api', 'api_key' => 'generate']);
$walk->good('users.authenticateKey', 'by key', $users->ask('authenticate_key', ['api_key' => $robot->api_key, 'expand' => 'memberships'])->id, $robot->id);
$walk->bad('users.authenticateKey', 'by another', raises(fn() => $users->ask('authenticate_key', ['api_key' => 'ak_nothing'])), 'RecordNotFound');
$secret = $user->credentials[0]['id'];
$walk->good('credentials.find', 'a password', $credentials->find($secret)->credential_type, 'password');
$walk->bad('credentials.find', 'nothing', raises(fn() => $credentials->find($missing('crd'))), 'RecordNotFound');
foreach ([fn() => $credentials->all(), fn() => $credentials->first(), fn() => $sessions->update($claims['tk'], [])] as $call) {
	$walk->bad('credentials.find', 'what these clients inherit and the API has not', substr(raises($call), 0, 10), 'Error: 405');
}
$walk->bad('credentials.create', 'a type that is none', $credentials->create(['user_id' => $user->id, 'credential_type' => 'blood'])->hasErrors(), true);
$walk->good('credentials.update', 'a password', [$credentials->update($secret, ['password' => PASSWORD . '2', 'password_confirmation' => PASSWORD . '2'])->errors, $authenticate('dave', PASSWORD . '2')->id], [[], $user->id]);
$walk->bad('credentials.update', 'a short one', $credentials->update($secret, ['password' => 'short'])->hasErrors(), true);
$walk->bad('credentials.delete', 'nothing', raises(fn() => $credentials->delete($missing('crd'))), 'RecordNotFound');

// Orgs and memberships.
[$orgs, $memberships] = [new Kind($c, 'orgs', 'org'), new Kind($c, 'memberships', 'membership')];
$org = $orgs->create(['name' => 'Acme', 'reference' => 'A1']);
$walk->good('orgs.create', 'an org', [$org->status, $org->object, $org->name, $org->reference], [201, 'org', 'Acme', 'A1']);
$walk->bad('orgs.create', 'no name', $orgs->create(['name' => ''])->hasErrors(), true);
$walk->good('orgs.find', 'by id', $orgs->find($org->id)->custom, []);
$walk->bad('orgs.find', 'nothing', raises(fn() => $orgs->find($missing('org'))), 'RecordNotFound');
$walk->good('orgs.all', 'by reference', array_column($orgs->all(['reference' => 'A1'])->results, 'id'), [$org->id]);
$walk->bad('orgs.all', 'a sort that is none', $orgs->all(['sort' => 'age'])->hasErrors(), true);
$walk->good('orgs.first', 'one', $orgs->first()['id'], $org->id);
$walk->bad('orgs.first', 'none', $orgs->first(['reference' => 'nothing']), null);
$walk->good('orgs.update', 'a name', $orgs->update($org->id, ['name' => 'Acme 2'])->name, 'Acme 2');
$walk->good('orgs.update', 'what was read, sent back', $orgs->update($org->id, $orgs->find($org->id)->fields)->errors, []);
$walk->bad('orgs.update', 'a blank name', $orgs->update($org->id, ['name' => ''])->hasErrors(), true);
$joined = $memberships->create(['org_id' => $org->id, 'user_id' => $user->id, 'permissions' => ['read']]);
$walk->good('memberships.create', 'in an org', [$joined->object, $joined->org_id, $joined->user_id, $joined->permissions, $joined->custom], ['membership', $org->id, $user->id, ['read'], []]);
$walk->bad('memberships.create', 'twice', $memberships->create(['org_id' => $org->id, 'user_id' => $user->id])->hasErrors(), true);
$walk->good('memberships.find', 'by id', $memberships->find($joined->id)->user_id, $user->id);
$walk->bad('memberships.find', 'nothing', raises(fn() => $memberships->find($missing('mb'))), 'RecordNotFound');
$walk->good('memberships.all', 'of a user', $memberships->all(['user_id' => $user->id])->results[0]['org']['name'], 'Acme 2');
$walk->bad('memberships.all', 'of nobody', raises(fn() => $memberships->all(['user_id' => $missing('usr')])), 'RecordNotFound');
$walk->good('memberships.first', 'of an org', $memberships->first(['org_id' => $org->id])['user']['id'], $user->id);
$walk->bad('memberships.first', 'of no org', raises(fn() => $memberships->first(['org_id' => $missing('org')])), 'RecordNotFound');
$walk->good('memberships.update', 'permissions', $memberships->update($joined->id, ['permissions' => 'boss'])->permissions, ['boss']);
$walk->bad('memberships.update', 'a permission that is none', $memberships->update($joined->id, ['permissions' => 'no spaces'])->hasErrors(), true);
$eve = $users->create($person('eve', ['org' => ['name' => 'N'], 'permissions' => 'boss']));
$walk->good('users.create', 'with an org', $eve->membership_count, 1);
$walk->good('memberships.delete', 'left', $memberships->delete($joined->id)->status, 204);
$walk->bad('memberships.delete', 'again', raises(fn() => $memberships->delete($joined->id)), 'RecordNotFound');
$walk->good('orgs.delete', 'gone', $orgs->delete($org->id)->status, 204);
$walk->bad('orgs.delete', 'again', raises(fn() => $orgs->delete($org->id)), 'RecordNotFound');

// What rules passwords, and who signs people in.
$providers = new Kind($c, 'auth_providers', 'auth_provider');
$ruling = $providers->first();
$walk->good('authProviders.first', 'passwords', [$ruling['object'], $ruling['provider_type'], $ruling['min_length']], ['auth_provider', 'password', 8]);
$walk->good('authProviders.all', 'one', array_column($providers->all()->results, 'id'), [$ruling['id']]);
$walk->good('authProviders.find', 'by id', $providers->find($ruling['id'])->id, $ruling['id']);
$walk->bad('authProviders.find', 'nothing', raises(fn() => $providers->find($missing('ap'))), 'RecordNotFound');
$walk->good('authProviders.update', 'a length', $providers->update($ruling['id'], ['min_length' => 12])->min_length, 12);
$walk->bad('authProviders.update', 'a length that is none', $providers->update($ruling['id'], ['min_length' => -1])->hasErrors(), true);
$codes = $providers->create(['provider_type' => 'totp']);
$walk->good('authProviders.create', 'codes', $codes->provider_type, 'totp');
$walk->bad('authProviders.create', 'others', $providers->create(['provider_type' => 'facebook', 'client_id' => 'a', 'client_secret' => 'b'])->hasErrors(), true);
$walk->good('authProviders.delete', 'codes', $providers->delete($codes->id)->status, 204);
$walk->bad('authProviders.delete', 'again', raises(fn() => $providers->delete($codes->id)), 'RecordNotFound');
$walk->good('authProviders.authorizeUrls', 'none', $providers->find('authorize', ['redirect_uri' => 'https://app.example.com/'])->results, []);
$walk->good('authProviders.authorizeUrl', 'of what has none', raises(fn() => $c->get("auth_providers/{$ruling['id']}/authorize")), 'RecordNotFound');
$walk->bad('authProviders.authorizeUrl', 'nothing', raises(fn() => $c->get("auth_providers/{$missing('ap')}/authorize")), 'RecordNotFound');
$walk->bad('authProviders.authorize', 'a code from nobody', $providers->ask('authorize', ['code' => 'x', 'state' => 'y'])->hasErrors(), true);
$walk->good('authProviders.authorize', 'a sentence to show', $providers->ask('authorize', ['code' => 'x', 'state' => 'y'])->errors, ['Signing in through others is not supported']);
$elsewhere = fn(string $id) => $c->post("auth_providers/$id/authorize", ['access_token' => 'x']);
$walk->good('authProviders.authorizeToken', 'a sentence to show', $elsewhere($ruling['id'])->errors, ['Signing in through others is not supported']);
$walk->bad('authProviders.authorizeToken', 'nothing', $elsewhere($missing('ap'))->hasErrors(), true);
$stranger = new Client($version, $url, 'ko_nothing', $realm->id);
foreach (['auth_providers' => 'authProviders', 'sessions' => 'sessions'] as $path => $kind) {
	$walk->bad("$kind.first", 'a bad key', raises(fn() => (new Kind($stranger, $path, ''))->first()), 'Access denied');
}
$walk->bad('authProviders.all', 'a bad key', raises(fn() => (new Kind($stranger, 'auth_providers', ''))->all()), 'Access denied');
$walk->bad('authProviders.authorizeUrls', 'a bad key', raises(fn() => $stranger->get('auth_providers/authorize')), 'Access denied');

// What a realm may ask of passwords, and do with API keys, beyond its defaults.
$levels = $providers->update($ruling['id'], ['min_length' => 8, 'min_complexity' => 3, 'required_chars' => ['digit']]);
$walk->good('authProviders.update', 'a level', [$levels->min_length, $levels->min_complexity, $levels->required_chars], [8, 3, ['digit']]);
$pass = fn(string $password) => $users->create(array_merge($person('lou'), ['password' => $password, 'password_confirmation' => $password]));
$walk->bad('users.create', 'a password below the level', $pass('abkdwzq7')->hasErrors(), true);
$walk->bad('users.create', 'a password without a digit', $pass('vault-tundra-mosaic-elbow')->hasErrors(), true);
$walk->good('users.create', 'a password of the level', $pass('vault-tundra-mosaic-elbow-7')->errors, []);
$walk->bad('authProviders.update', 'a level that is none', $providers->update($ruling['id'], ['min_complexity' => 5])->hasErrors(), true);
$none = $providers->update($ruling['id'], ['min_complexity' => 0, 'required_chars' => []]);
$walk->good('authProviders.update', 'no level', [$none->min_complexity, $none->required_chars], [0, []]);
$kind = $realms->update($realm->id, ['api_key_policy' => 'encrypt', 'api_key_minutes' => 5, 'session_minutes' => 30, 'session_type' => 'unmanaged', 'jwt_fields' => ['custom', 'memberships', 'orgs']]);
$walk->good('realms.update', 'what it may ask', [$kind->api_key_policy, $kind->api_key_minutes, $kind->session_minutes, $kind->session_type, $kind->jwt_fields],
	['encrypt', 5, 30, 'unmanaged', ['custom', 'memberships', 'orgs']]);
$walk->bad('realms.update', 'sessions of no known kind', $realms->update($realm->id, ['session_type' => 'none'])->hasErrors(), true);
$kept = $users->create(['user_type' => 'api', 'api_key' => 'generate']);
$walk->good('users.find', 'a kept key', [$users->find($kept->id)->api_key, substr($kept->api_key, 0, 3)], [$kept->api_key, 'php']);
$byKey = fromToken($users->ask('authenticate_key', ['api_key' => $kept->api_key])->token, $realm->jwt_key);
$walk->good('users.authenticateKey', 'its token', [$byKey['uid'], $byKey['un'], $byKey['exp'] - $byKey['iat']], [$kept->id, $kept->username, 300]);
$full = $users->create($person('max', ['custom' => ['plan' => 'pro'], 'org' => ['name' => 'M', 'custom' => ['x' => 1]], 'permissions' => ['p1']]));
$told = fromToken($authenticate('max', PASSWORD)->token, $realm->jwt_key);
$walk->good('sessions.fromToken', 'what the realm adds', [$told['cs'], $told['m'][0]['p'], $told['m'][0]['o'], $told['m'][0]['ocs'], $told['exp'] - $told['iat']],
	[['plan' => 'pro'], ['p1'], 'M', ['x' => 1], 1800]);
$walk->good('users.authenticate', 'with the org of the membership', $authenticate('max', PASSWORD, ['expand' => 'memberships'])->memberships[0]['org']['name'], 'M');

// RS256: clients go by the length of what they are configured with.
$pair = $realms->create(['name' => "PHP RSA $pid", 'jwt_algo' => 'RS256']);
$r = new Kind(new Client($version, $url, $key, $pair->id), 'users', 'user');
$rita = $r->create($person('rita'));
$token = $r->ask('rita/authenticate', ['password' => PASSWORD])->token;
$walk->good('sessions.fromToken', 'RS256', [strlen($pair->jwt_key) > 256, fromToken($token, $pair->jwt_key)['uid'] ?? null], [true, $rita->id]);
$walk->bad('sessions.fromToken', 'HS256, where the PEM is configured', fromToken($in->token, $pair->jwt_key), null);
$realms->delete($pair->id);

// The end of a user, of patience, and of the realm.
$walk->good('users.delete', 'gone, with a body', [$users->delete($user->id, ['request' => ['ip' => '10.0.0.5']])->status, raises(fn() => $users->find('dave'))], [204, 'RecordNotFound']);
$walk->bad('users.delete', 'again', raises(fn() => $users->delete('dave')), 'RecordNotFound');
for ($i = 0; $i < 11; $i++) {
	raises(fn() => $authenticate('eve', 'wrong'));
}
$walk->bad('users.authenticate', 'too many attempts', raises(fn() => $authenticate('eve', PASSWORD)), 'Rate limited');
$walk->good('realms.delete', 'gone', [$realms->delete($realm->id)->status, raises(fn() => $realms->find($realm->id))], [204, 'RecordNotFound']);
$walk->bad('realms.delete', 'again', raises(fn() => $realms->delete($realm->id)), 'RecordNotFound');
$walk->finish();
