"""The ideas that attacks on assistants are made of, in the words of many languages.

A word that ends in `*` stands for all words that begin so. What is learned about ideas in one language holds
in the others; that is their use.
"""

from typing import Final

LEXICON: Final[dict[str, str]] = {
    "ignore": """
        ignor* disregard* overrid* overrul* overwrit* supersed* bypass* circumvent* neglect abandon discard*
        forget forgetting forgot unlearn void nullif* cancel* supercede* cease sidestep erase
        vergiss vergesst vergessen missacht* umgeh* verwirf überschreib* ignorier* beacht*
        oubli* néglig* contourn* fais-fi olvid* omit* anul* desech* haz-caso dimentic* trascur* aggir* scorda*
        esque* desconsider* ignores vergeet negeer* vergeten игнор* забуд* забыт* отмен* обойд* пренебре*
        zapomn* zignoruj* pomiń glöm ignorera unut* yoksay* abaikan lupakan zaboravi* تجاهل* انس انسى
        अनदेखा भूल 무시* 잊어* 잊고 잊으* bỏ-qua zanemari* ignoruj* glem unohda
        忽略 忽视 无视 無視 忘记 忘掉 忘了 不要理会 不用理会 不必理会 不用管 别管 不要管 抛开 抛弃 丢掉 绕过 绕开 跳过 作废
        废除 取消 推翻 覆盖 清除 清空 撇开 不再遵守 不必遵守 不用遵守 无需遵守 不要遵守 別管 忘記 略過 不予理会
        無効 忘れ 破棄 取り消
    """,
    "prior": """
        previous* prior preceding above earlier before aforementioned former foregoing past existing current
        vorherig* vorhergehend* vorangehend* obig* bisherig* davor zuvor vorig* frühere* vorangegangen* bestehend*
        précéden* antérieur* ci-dessus avant ultérieur* anterior* previ* antes arriba precedent* sopra
        prima eerdere vorige voorgaande предыдущ* прежн* выше предшеств* poprzedni* wcześniejsz* powyższ*
        tidigare föregående önceki yukarıdaki sebelumnya السابقة السابق पिछले 이전* 위의 앞서 앞의 지금까지
        以上 之前 先前 前面 上述 此前 上面 早先 原先 原来 原有 过去 以前 前述 上文 既有 前の 上記 これまで 今まで それまで
    """,
    "all": """
        all every any each entire whole alle alles allen sämtlich* jede* tous toutes tout todo todos toda todas
        tutte tutti tutto все всё всех wszystk* alla tüm semua كل جميع सभी 모든 모두 전부
        所有 全部 一切 任何 整个 完整 すべて 全て 全部の あらゆる
    """,
    "rules": """
        instruction* prompt* rule rules guideline* directive* directions command commands orders polic*
        constraint* protocol* programming commandment* mandate* anweisung* befehl* regel* richtlini*
        vorgabe* instruktion* anordnung* instrucci* regla* órden* directri* consigne* règle* directive*
        istruzion* regol* direttiv* instruç* regra* diretriz* instructie* opdracht* инструкц* правил* указан*
        команд* распоряж* instrukcj* polecen* reguł* zasad* instrukc* talimat* kural* instruksi aturan perintah
        التعليمات تعليمات القواعد निर्देश* 지시* 규칙* 명령* 지침* 프롬프트* instrukcije hướng-dẫn
        指令 指示 规则 規則 提示 提示词 提示詞 规定 命令 设定 設定 准则 守则 要求 原则 指南 约定 条款 プロンプト ルール 規則 命令
        ガイドライン 方針
    """,
    "limits": """
        restriction* restricted restrict filter* censor* limit limits limitation* safety safeguard* guardrail*
        boundar* safeguards moderation ethic* moral* unethical immoral amoral illegal illicit unlawful
        inappropriate offensive unfiltered uncensored unrestricted unlimited unbound* limitless taboo
        einschränk* beschränk* filter zensur* ethisch* moralisch* restricci* límite* censura* restrizion*
        limitazion* restriç* limites limitation* restriction* ограничен* цензур* фильтр* ogranicze* cenzur*
        제한* 검열* 윤리* 限制 约束 束缚 审查 審查 过滤 過濾 道德 伦理 倫理 安全准则 安全限制 安全机制 底线 顾忌 制限 検閲
        倫理 フィルタ 制約
    """,
    "system": """
        system hidden internal confidential secret initial developer*  backend underlying original verbatim
        systemprompt* systemnachricht* systemanweis* intern interne* internen geheim* vertraulich* système
        sistema secret* secreta secretas interno* interna* segret* segreti системн* внутренн* скрыт* секретн*
        systemow* системы sistem النظام 시스템 내부 비밀
        系统 系統 内部 內部 隐藏 隱藏 机密 機密 秘密 保密 初始 最初 后台 底层 システム 内部の 秘密の 隠され
    """,
    "assistant": """
        ai assistant* chatbot* chatgpt gpt gpt* claude llm llms llama gemini bard copilot openai anthropic bot
        robot model models agent agents language-model ki assistent* asistente* assistente* ia modell modelo
        modèle ии ассистент* бот модель нейросет* asystent* yapay asisten المساعد 어시스턴트 인공지능 챗봇
        助手 助理 模型 人工智能 机器人 機器人 智能体 大模型 语言模型 アシスタント 人工知能 チャットボット
    """,
    "you": """
        you your u yours yourself youre ur ya thou du dein deine deinem deinen deiner dich dir ihr ihre ihren
        sie vous votre vos ton tes toi tu te eres usted tus sus ti tuo tue tuoi você seu sua je jij jouw
        ты вы твой твои твою тебя тебе ваш ваши вашу вас вам twój twoje ci sen senin kamu anda أنت आप 너는 너의
        당신* 네 你 您 妳 你的 您的 你们 あなた 君 お前
    """,
    "become": """
        are become becomes act acts acting pretend* roleplay* role-play simulat* imagine impersonat* emulate
        immerse portray embody behave transform bist agier* spiel spiele spielst verhalt* verhalte stell tu-es
        agis joue simule comporte incarne actúa* actua finge* simula* comporta* interpreta agisci fingi
        comportati recita aja finja представь притвор* действуй веди изобрази udawaj zachowuj wciel
        扮演 假装 假裝 装作 充当 充當 现在是 你是 您是 成为 成為 变成 變成 变身 模拟 模擬 化身 饰演 演じ なりきっ 振る舞 ふりを
        として行動 역할 연기 행동해
    """,
    "now": """
        now henceforth onwards onward immediately instead moving starting ab jetzt nun fortan sofort désormais
        maintenant dorénavant immédiatement ahora adelante inmediatamente adesso ora agora отныне теперь сейчас
        немедленно teraz odtąd şimdi sekarang الآن अब 이제 지금부터
        现在 現在 从现在起 从现在开始 从此刻起 从今以后 从此 今后 接下来 即刻 立即 立刻 马上 改为 转而 今から これから
        ただちに 以降
    """,
    "new": """
        new updated revised replacement different neu neue neuen neuer neues nouveau* nouvel* nuev* nuov* novo
        nova novas novos новы* новое новая nowe nowy nowa yeni baru جديدة 새로운 新 新的 全新 更新后 新しい 新た
    """,
    "reveal": """
        reveal* print output* repeat display* leak* dump* disclose* expose* divulge* recite spill echo
        summarize extract* paste verrat* zeig zeige zeigen gib ausgeben wiederhol* nenn nenne offenbar* offenleg*
        preisgeb* révèl* affich* montre* divulgu* répèt* muestra* muéstra* revela* imprime* repite* divulg*
        rivela* mostra* stampa* ripeti* repita* mostre* exiba toon onthul herhaal покажи* раскро* выведи*
        повтори* сообщи назови ujawnij pokaż wypisz powtórz göster tampilkan ungkapkan اكشف أظهر 공개* 출력*
        알려줘 보여줘 반복*
        输出 輸出 显示 顯示 透露 泄露 洩露 泄漏 打印 列印 重复 重複 复述 說出 说出 列出 展示 公开 公開 公布 吐露 交出 曝光
        教えて 表示 出力 繰り返 明かし 開示 見せ 暴露
    """,
    "say": """
        say tell write give answer answers respond responds reply replies type list share state generate
        provide create sag sage sagen schreib schreibe antworte antworten sprich dis dites écris réponds
        répondez donne di dime escribe responde dame genera scrivi rispondi dimmi escreva responda diga
        скажи напиши ответь отвечай ответьте дай napisz odpowiedz powiedz 말해* 대답* 답해* 써줘
        告诉 告訴 回答 回复 回覆 说 写 生成 提供 答复 給我 给我 言って 答え 書いて 回答
    """,
    "reply": """
        response* answer* reply output outputs antwort* réponse* respuesta* rispost* resposta* ответ* odpowied*
        yanıt jawaban 응답* 답변* 回答 回复 回覆 响应 答复 答覆 输出结果 返答 応答
    """,
    "secrets": """
        password* passwd passcode* passphrase key keys credential* token* secrets apikey api* login* database
        passwort* kennwort* schlüssel zugangsdaten mot-de-passe contraseña* clave claves credencial* chiave
        chiavi credenzial* senha* парол* ключ* токен* hasł* 비밀번호 암호
        密码 密碼 口令 密钥 金鑰 密鑰 凭证 凭据 令牌 秘钥 账号 数据库 隐私 パスワード 秘密鍵 認証情報 合言葉
    """,
    "send": """
        send sends sending forward* upload* transmit* exfiltrat* email* mail transfer* post posts submit*
        deliver sende senden schick* leite weiterleit* überweis* envoy* envoie transfèr* transmet* envía* envia*
        reenvía* manda* transfier* invia* inoltra* envie* encaminhe отправ* перешл* переведи wyślij prześlij
        gönder kirim أرسل 보내* 전송*
        发送 发到 发给 发往 发至 寄到 传给 傳送 转发 轉發 上传 上傳 转账 汇款 汇入 传输 提交给 送信 転送 送って 送り アップロード 振り込
    """,
    "act": """
        execute* run runs perform invoke call calls follow obey comply complies adhere proceed carry fulfill
        must shall ensure grant approve authorize authorise allow enable activate* unlock* delete remove drop
        disable purchase buy install download* click visit open führe ausführ* folge befolg* musst gehorch*
        aktivier* lösch* exécut* suis suivez obéi* dois devez active* désactiv* supprim* ejecut* sigue obedec*
        debes activa* elimina* borra* esegui* segui obbedi* devi attiva* execute siga obedeça deve выполн*
        следуй подчин* должен должны активир* удали* запусти* wykonaj musisz usuń 실행* 따라* 수행* 삭제*
        执行 執行 遵守 遵循 遵从 服从 服從 必须 必須 务必 听从 照做 激活 启用 解锁 解除 解锁 关闭 删除 刪除 调用 调用 运行 下载
        点击 購買 批准 授权 実行 従って 従い 従え しなさい 有効 解除 削除 呼び出
    """,
    "user": """
        user users customer* client* human humans reader* owner operator victim benutzer* nutzer* kunde*
        utilisateur* client* usuario* cliente* utente utenti usuário* пользовател* клиент* użytkownik*
        kullanıcı pengguna المستخدم 사용자* 고객* 用户 用戶 客户 客戶 使用者 对方 顾客 ユーザー 利用者 顧客
    """,
    "not": """
        not never don't dont won't cannot can't cant without no nicht niemals nie kein keine ohne ne pas jamais
        sans nunca jamás sin non mai senza não nunca sem не никогда без nie nigdy bez niet zonder değil
        jangan tanpa لا 하지 말고 말아 없이 절대
        不要 不得 不能 不许 不准 别 勿 切勿 不会 绝不 从不 无需 不必 不用 没有 禁止 不再 ない ないで せず 禁じ 決して
    """,
    "mention": """
        mention* inform* notify* warn* warning* disclaimer* apolog* refuse* refusal* declin* deny denies object
        hesitat* reject* moraliz* lecture erwähn* informier* warn* verweiger* ablehn* mentionn* inform* avert*
        refus* mencion* avis* rechaz* nieg* menzion* avvis* rifiut* recus* упомина* сообща* предупрежд*
        отказ* wspomina* odmaw* 거부* 언급* 경고*
        提及 提到 通知 告知 警告 提醒 拒绝 拒絕 道歉 推脱 说明原因 免责声明 犹豫 断ら 拒否 言及 警告 知らせ 謝罪
    """,
    "mode": """
        mode modes dan dude jailbreak* jailbroken unchained sudo admin administrator* root god debug* maintenance
        diagnostic* override troubleshoot* superuser modus entwicklermodus entwickler* modo développeur
        desarrollador* administrador* sviluppatore desenvolvedor режим* разработчик* администратор* tryb* 모드
        개발자 관리자
        模式 开发者 開發者 越狱 越獄 管理员 管理員 调试 除錯 超级用户 上帝模式 维护 维修 权限 最高权限 モード 開発者 管理者 脱獄
        デバッグ
    """,
    "alert": """
        important urgent* attention critical notice note alert priority mandatory immediately reminder wichtig
        achtung dringend hinweis urgente importante atención attenzione important urgent attention remarque
        важно внимание срочно ważne uwaga 중요 긴급 주의 重要 注意 紧急 緊急 请注意 优先 最高优先级 通知 至急 注意事項
    """,
    "game": """
        game games play character* role roles persona* personalit* scenario* hypothetical* fictional fiction
        story novel movie actor evil villain twin alter-ego grandma rolle rollenspiel* spielen charakter*
        geschichte hypothetisch* jeu rôle personnage* fictif histoire juego papel personaje* ficticio historia
        gioco ruolo personaggio storia jogo papel personagem игра роль персонаж* истори* gra rola postać 게임 소설
        游戏 遊戲 角色 剧本 虚构 虛構 假设 故事 小说 奶奶 电影 人格 场景 ゲーム キャラ 物語 架空 小説 役割
    """,
    "harm": """
        kill* bomb* meth hack* malware* drug* steal* weapon* explosive* porn* nsfw sexual* racist* hitler hate*
        phishing ransomware exploit* virus* murder* cocaine poison* violence violent terror* launder* scam*
        bombe* drogen waffe* droga* arma* bomba* drogue* arme* бомб* наркот* оруж* взлом* bomb* 폭탄 마약
        炸弹 炸彈 毒品 冰毒 黑客 病毒 武器 枪支 杀人 诈骗 洗钱 色情 炸药 木马 钓鱼 爆弾 麻薬 武器 ハッキング
    """,
    "code": """
        base64 rot13 decode* decipher* decrypt* encode* encoded cipher* backwards reverse* spell spelled morse
        leetspeak hex hexadecimal ascii caesar acrostic rhyme* riddle hint* entschlüssel* dekodier* décod*
        decodifica* descifra* декодир* расшифр* 解码 解碼 编码 編碼 解密 倒过来 倒序 拼写 首字母 藏头 解読 デコード 逆から
    """,
    "task": """
        task tasks question* request* conversation* context text message* input inputs words sentence information
        assignment* aufgabe* frage* text nachricht* gespräch* tâche* demande* texte conversación tarea* pregunta*
        mensaje* compito domanda messaggio tarefa* pergunta mensagem задач* задан* вопрос* сообщен* текст* разговор*
        zadani* 작업 질문 메시지 대화 任务 任務 问题 對話 对话 上下文 内容 文字 消息 信息 话 タスク 質問 会話 文章 メッセージ 内容
    """,
    "anything": """
        anything everything whatever nothing anytime fully completely absolutely always uncondition* no-matter
        regardless freely alles immer bedingungslos n'importe cualquier* siempre qualsiasi sempre qualquer
        что-угодно всегда любой любые 무엇이든 항상 什么都 任何事 任何问题 无条件 随便 始终 永远 总是 完全 何でも 常に
        どんな 必ず
    """,
    "free": """
        freed free liberated broken unleashed confines typical anymore longer normally conventional befreit frei
        libre* libéré* libero свободн* вольн* 自由 摆脱 不受 突破 自由に とらわれ
    """,
    "talk": """
        example* explain* explains explanation quote* quotes quoted phrase* detect* prevent* protect* defend*
        defens* attack* injection* vulnerab* mitigat* article* research* paper* classif* blog tutorial* training
        teaches training documentation learn* understand why beispiel* erklär* warum exemple* expliqu* pourquoi
        ejemplo* explica* por-qué esempio spiega* пример* объясн* почему 예시 설명
        例如 例子 比如 什么是 什么叫 解释 介绍 为什么 如何防 防范 防御 防护 检测 识别 攻击 注入 原理 研究 文章 论文 教程 区别 とは
        なぜ 説明 例えば 防ぐ 対策 攻撃
    """,
}
"""Ideas by name; a blank parts words, a hyphen within a phrase is read as one word each."""
